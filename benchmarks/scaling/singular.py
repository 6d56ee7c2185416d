"""Limits of one thing: a mixed batch, a lane with places. By discrete simulation, since each is small."""

from collections.abc import Sequence
from random import Random
from typing import Final

from benchmarks.scaling import costs, rules
from benchmarks.scaling.lanes import Delivery, poisson, waits

RATE, JOBS = 400.0, 20_000
SHORT, LONG = 0.01, 8.0
LONG_SHARES: Final = (0.0, 0.001, 0.01)
RELEASE_CALLS: Final = 4
"""Line, lane, job, and the write of `queued` (decision 26)."""
CLAIM_CALLS: Final = 2
"""The lane's partition, and the transaction, which takes as long as two calls: assumed."""


def mixed_waits(long_share: float, delivery: Delivery, rate: float = RATE, jobs: int = JOBS) -> tuple[float, ...]:
    """Waits of jobs of 10 ms, in order, beside jobs of 8 s of which there are so many."""
    random = Random(1)  # noqa: S311 - the same document each time
    arrivals = poisson(rate, jobs, random, ((SHORT, 1 - long_share), (LONG, long_share)))
    found = waits(arrivals, delivery, random)
    return tuple(sorted(wait for wait, job in zip(found, arrivals, strict=True) if job.seconds == SHORT))


def lane_rate(limit: int, seconds: float) -> float:
    """Jobs a second that a lane with a line lets through: a place is idle from one job's end to the next one's start.

    And no more than one partition's units allow, until DynamoDB has split it.
    """
    handing_over = RELEASE_CALLS * costs.CALL_SECONDS + costs.STREAM_SECONDS + rules.POLL_SECONDS / 2
    starting = costs.INVOKE_SECONDS + (CLAIM_CALLS + 1) * costs.CALL_SECONDS + costs.job_cpu()
    ending = 2 * costs.CALL_SECONDS
    by_places = limit / (seconds + handing_over + starting + ending)
    return min(by_places, rules.PARTITION_WRITES / costs.LANE_ITEM_UNITS)


def claim_tries(free: int, claims: int, random: Random) -> Sequence[int]:
    """How often each of so many claims at the same moment tries, when each takes a free place at random.

    Those that wanted the same place conflict; one of them wins, and the others look again. At most five times; what is
    left then waits in line again.
    """
    tries, left, places = [], claims, free
    for round_ in range(1, 6):
        if not left or not places:
            break
        won = len({random.randrange(places) for _ in range(left)})
        tries += [round_] * won
        left, places = left - won, places - won
    return tries + [6] * left
