"""AWS's rules, as published, each with its source, and what follows from them. Pure."""

from dataclasses import dataclass
from typing import Final

PARTITION_WRITES: Final = 1_000
"""Write units a second of one partition, and so of one partition key whose new entries all lie at one end."""
NEW_TABLE_WRITES: Final = 4_000
TABLE_WRITES: Final = 40_000
DOUBLING_SECONDS: Final = 30 * 60
POLL_SECONDS: Final = 0.25
ACCOUNT_CONCURRENCY: Final = 1_000
ENVIRONMENTS_A_SECOND: Final = 100.0
REQUESTS_AN_ENVIRONMENT: Final = 10
QUEUE_FIRST: Final = 5
QUEUE_GROWTH: Final = 300 / 60
QUEUE_CONCURRENCY: Final = 1_000
IN_FLIGHT: Final = 120_000
GATEWAY_REQUESTS: Final = 10_000
S3_PUTS: Final = 3_500

_DYNAMODB = "DynamoDB Developer Guide"
_LAMBDA = "Lambda Developer Guide"
_BLOG = "AWS Database Blog, Scaling DynamoDB"

RULES: Final = (
    (
        "partition of a table or index",
        "1,000 write, 3,000 read units a second",
        f"{_DYNAMODB}: bp-partition-key-design",
        "read",
    ),
    (
        "one partition key with entries in order of time",
        "stays in one partition's limit",
        f"{_BLOG}, parts 1 to 3",
        "not read: from memory",
    ),
    (
        "new on-demand table, and each of its indexes",
        "4,000 write units a second",
        f"{_DYNAMODB}: warm-throughput",
        "read",
    ),
    ("growth of a table or index", "twice the peak so far within 30 minutes", f"{_DYNAMODB}: warm-throughput", "read"),
    ("table, and each index, default quota", "40,000 write units a second", f"{_DYNAMODB}: ServiceQuotas", "read"),
    ("shards of the stream", "one a partition of the table", f"{_DYNAMODB}: Streams; assumed exact", "second-hand"),
    (
        "invocations a shard",
        "ParallelizationFactor, up to 10; one item stays in one",
        f"{_LAMBDA}: with-ddb",
        "second-hand",
    ),
    ("reads of a shard", "4 a second, 2 readers", f"{_LAMBDA}: with-ddb; {_DYNAMODB}: Streams", "second-hand"),
    ("environments of a function", "1,000 more each 10 s", f"{_LAMBDA}: scaling-behavior", "read"),
    ("concurrency of an account, default quota", "1,000", f"{_LAMBDA}: gettingstarted-limits", "read"),
    ("requests of a function", "10 a second and environment", f"{_LAMBDA}: gettingstarted-limits", "second-hand"),
    ("mapping of a standard queue", "5, then 300 more a minute", f"{_LAMBDA}: services-sqs-scaling", "read"),
    (
        "MaximumConcurrency",
        "2 to 1,000; provisioned pollers: up to 20,000",
        f"{_LAMBDA}: services-sqs-scaling",
        "partly read",
    ),
    ("messages in flight of a standard queue", "about 120,000; calls unlimited", "SQS Developer Guide: quotas", "read"),
    ("HTTP API, default quota", "10,000 requests a second", "API Gateway Developer Guide: limits", "second-hand"),
    (
        "S3 prefix",
        "3,500 PUT, 5,500 GET a second; splits by itself",
        "S3 User Guide: optimizing-performance",
        "second-hand",
    ),
)
"""What, how much, where it stands, and whether that text was read for this, or the rule is from another or memory."""


@dataclass(frozen=True)
class Throughput:
    """How many write units a second an on-demand table or index takes, as it grows."""

    warm: float = NEW_TABLE_WRITES
    quota: float = TABLE_WRITES

    def at(self, peak: float) -> float:
        """Units a second, when `peak` were consumed half an hour ago or earlier."""
        return min(self.quota, max(self.warm, 2 * peak))


def shards(writes: float) -> int:
    """Shards of the stream of a table that takes so many write units a second."""
    return max(1, round(writes / PARTITION_WRITES))


def environments(seconds: float, account: float) -> float:
    """How many environments a function may have so long after its load began."""
    return min(account, ENVIRONMENTS_A_SECOND * (10 + seconds))


def queue_invocations(seconds: float, maximum: float, growth: float = QUEUE_GROWTH) -> float:
    """How many invocations the mapping of a queue makes concurrently, so long after it had enough messages."""
    return min(maximum, QUEUE_FIRST + growth * seconds)
