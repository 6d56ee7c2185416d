"""What our own calls cost.

Units are from tests/integration/test_write_units.py, times from RESULTS.md and docs/cost.md.
"""

from typing import Final

CREATE_UNITS, CLAIM_UNITS, FINISH_UNITS = 1, 1, 1
"""Write units on the table itself."""
TABLE_UNITS: Final = CREATE_UNITS + CLAIM_UNITS + FINISH_UNITS
OWNER_UNITS: Final = 1
WAKE_UNITS: Final = 2
"""The entry of a submission, and its removal by the end."""

LANE_ITEM_UNITS: Final = 4
"""On a lane's partition of the table `lanes`: a place taken and given back, each in a transaction (decision 26)."""

SWEPT_AHEAD, SWEPT_OVERDUE, SWEPT_BY_WRITES = 2_800, 900, 310
"""Jobs a second of one sweep: `benchmarks.burst` with 100,000 of the first and second, 2,000 of the third, on
2026-11-28, two cores that others used too."""

CALL_SECONDS: Final = 0.005
"""Of DynamoDB."""
JOB_CPU_SECONDS: Final = 0.0018
WORKER_CPU_SHARE: Final = 0.58
"""Of a vCPU, at 1,024 MB."""
INVOKE_SECONDS: Final = 0.01
"""From one invocation's end to the next one's beginning: assumed."""
STREAM_SECONDS: Final = 0.05
"""From a write to its record: assumed; AWS says less than a second."""
QUEUE_SECONDS: Final = 0.05
"""From sending a message to its invocation: assumed."""
API_SECONDS: Final = 0.02
API_EACH_SECONDS: Final = 0.0007
"""For each further job of a request, at 512 MB."""


def job_cpu() -> float:
    """Seconds that a job costs an invocation besides its own work."""
    return JOB_CPU_SECONDS / WORKER_CPU_SHARE


def batch_seconds(jobs: float, slowest: float) -> float:
    """How long an invocation holds its lane, with jobs that mostly wait: as long as the slowest."""
    return INVOKE_SECONDS + 2 * CALL_SECONDS + jobs * job_cpu() + slowest


def dispatch_seconds(jobs: float) -> float:
    """The same for an invocation that only sends jobs on to a runner's queue."""
    return INVOKE_SECONDS + CALL_SECONDS + jobs * job_cpu() / 2


def request_seconds(jobs: int) -> float:
    """How long a submission of so many jobs holds an environment of the API."""
    return API_SECONDS + (jobs - 1) * API_EACH_SECONDS
