"""What is simulated: a load, and a deployment with its settings and quotas; and the limits that follow. Pure."""

from dataclasses import dataclass
from typing import Final

from benchmarks.scaling import costs, rules
from benchmarks.scaling.rules import Throughput

WORKER: Final = "worker"
NO_LIMIT: Final = "none"


@dataclass(frozen=True)
class Load:
    """Jobs that mostly wait, each of the same length."""

    rate: float
    """Submitted, jobs a second."""
    seconds: float
    owners: int = 1000


@dataclass(frozen=True)
class Deployment:
    """Parameters of template.yaml by their defaults, and quotas of the account by AWS's."""

    runner: str = WORKER
    api_rate: float = 100
    """ApiRateLimit, requests a second."""
    jobs_a_request: int = 1
    """What the callers do: 1, or up to 25 by `POST /v1/jobs/batch`."""
    batch: int = 10
    parallelization: int = 10
    runner_batch: int = 1
    runner_concurrency: int = 100
    gateway: float = rules.GATEWAY_REQUESTS
    account: float = rules.ACCOUNT_CONCURRENCY
    table_quota: float = rules.TABLE_WRITES
    warm: float = rules.NEW_TABLE_WRITES
    """Write units that the table takes from the start."""
    wake_warm: float = rules.NEW_TABLE_WRITES
    wake_shards: int = 8
    queues: int = 1
    """Runners that share the jobs evenly."""
    pollers: float = rules.QUEUE_GROWTH
    """Invocations of a queue that are added each second."""

    @property
    def table(self) -> Throughput:
        """The table's growth."""
        return Throughput(warm=self.warm, quota=self.table_quota)

    @property
    def wake_index(self) -> Throughput:
        """The index's: its partition keys are few."""
        fixed = self.wake_shards * rules.PARTITION_WRITES
        return Throughput(warm=min(self.wake_warm, fixed), quota=min(self.table_quota, fixed))

    def lanes(self, writes: float) -> int:
        """Of the stream, for a table that takes so many units a second."""
        return rules.shards(writes) * self.parallelization

    def requests(self) -> float:
        """Requests a second that the gateway and the API function take."""
        function = self.account * min(rules.REQUESTS_AN_ENVIRONMENT, 1 / costs.request_seconds(self.jobs_a_request))
        return min(self.api_rate, self.gateway, function)


def service_seconds(load: Load, deployment: Deployment) -> float:
    """How long an invocation with a full batch takes."""
    jobs = deployment.batch if deployment.runner == WORKER else deployment.runner_batch
    reading = 0.0 if deployment.runner == WORKER else costs.CALL_SECONDS
    return costs.batch_seconds(jobs, load.seconds) + reading


def ceilings(load: Load, deployment: Deployment) -> dict[str, float]:
    """Jobs a second that each limit allows on the first day, smallest first."""
    each = deployment.jobs_a_request
    took = service_seconds(load, deployment)
    wake = deployment.wake_index
    lanes = deployment.lanes(deployment.warm)
    found = {
        "`ApiRateLimit`": deployment.api_rate * each,
        "API Gateway's quota": deployment.gateway * each,
        "API's share of the account's concurrency": deployment.account
        * min(rules.REQUESTS_AN_ENVIRONMENT, 1 / costs.request_seconds(each))
        * each,
        "table's quota": deployment.table_quota / costs.TABLE_UNITS,
        "wake-index, young": wake.warm / costs.WAKE_UNITS,
        f"wake-index, {deployment.wake_shards} keys": wake.quota / costs.WAKE_UNITS,
        "owner-index, 1,000 an owner": load.owners * rules.PARTITION_WRITES / costs.OWNER_UNITS,
    }
    if deployment.warm < deployment.table_quota:
        found["young table"] = deployment.table.at(0) / costs.TABLE_UNITS
    # Invocations left to jobs, when the API has what the load needs.
    requests = min(load.rate / each, deployment.requests())
    left = max(0.0, deployment.account - requests * costs.request_seconds(each))
    if deployment.runner == WORKER:
        found["stream's lanes"] = lanes * deployment.batch / took
        found["account's concurrency"] = left * deployment.batch / took
    else:
        found["stream's lanes"] = lanes * deployment.batch / costs.dispatch_seconds(deployment.batch)
        invocations = deployment.queues * deployment.runner_concurrency
        found["`StandardRunnerConcurrency`"] = invocations * deployment.runner_batch / took
        found["messages in flight"] = deployment.queues * rules.IN_FLIGHT / took
        found["account's concurrency"] = left * deployment.runner_batch / took
    return dict(sorted(found.items(), key=lambda limit: limit[1]))


def first_limit(load: Load, deployment: Deployment) -> str:
    """The limit that binds first, with what it allows."""
    name, allowed = next(iter(ceilings(load, deployment).items()))
    return f"{name}: {float(f'{allowed:.3g}'):,.10g}" if allowed < load.rate else NO_LIMIT
