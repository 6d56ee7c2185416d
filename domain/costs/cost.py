"""What a job costs in dollars: quantities known from the job itself, by AWS's list prices (docs/cost.md).

The time that attempts ran and the writes that the job's states took are counted. What belongs to no single job, as the
share of a batch, is estimated for a job that was alone in it. What the handler itself uses of AWS is not known.
"""

import math
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

from domain.jobs.job import BlobRef, HistoryEntry, Job, documents_of
from domain.stats.aggregate import Series
from domain.stats.histogram import added
from headrace.authoring.frozen import Frozen

How = Literal["counted", "estimated"]

MILLION: Final = 1_000_000

REQUEST: Final = 1.00 / MILLION
"""One at API Gateway. These are dollars, of us-east-1, as in docs/cost.md."""
INVOCATION: Final = 0.20 / MILLION
GB_SECOND: Final = 0.0000133334
WRITE_UNIT: Final = 0.625 / MILLION
READ_UNIT: Final = 0.125 / MILLION
LOGS_PER_ATTEMPT: Final = 1.00 / MILLION
"""2.0 KB, ingested."""

API_GB_SECONDS: Final = 0.020 * 0.5
ATTEMPT_GB: Final = 1.0
"""Memory of the worker and of the standard runner."""
ITEM_BASE: Final = 700
"""Bytes of an item without its documents and history; `HISTORY_ENTRY` more for each entry of that."""
HISTORY_ENTRY: Final = 70
ENTRIES: Final = {"scheduled": 2, "retrying": 2, "blocked": 3, "queued": 0, "running": 0}
"""Writes to indexes, besides the item, that a move to this state takes: an entry that moves counts twice."""
ENDED: Final = {"succeeded": 1, "failed": 3, "cancelled": 2}
"""The same for a final state, which leaves the wake index and, unless it is success, enters others."""
CREATED: Final = 2
IN_LANE: Final = 6
"""Writes that a job in a lane takes besides: its place, and transactions. This and the next three are measured
(`tests/integration/test_write_units.py`)."""
BLOCKED_AT_ONCE: Final = 4
"""Writes that one takes besides these that was submitted to a full lane."""
READS_IN_LANE: Final = 2.5
READS_BLOCKED: Final = 2.0
"""Each time that it was let go."""
HAPPY_VERSION: Final = 3
"""Of a job that was submitted, claimed and ended; one with more was read for a later start."""
STATISTICS_UNITS: Final = 1

NOTE: Final = (
    "AWS list prices of us-east-1, free tiers left out. Each attempt is priced as if it were alone in its invocation;"
    " what the handler itself uses of AWS, reads by clients and storage are not included."
)


class CostLine(Frozen):
    """One part of a cost."""

    what: str
    quantity: float
    unit: str
    usd: float
    how: How


class Cost(Frozen):
    """What something cost."""

    usd: float
    lines: tuple[CostLine, ...]
    note: str = NOTE


def cost_of(job: Job, now: datetime) -> Cost:
    """What a job has cost so far. Its history holds the last 20 moves: of more, the earlier ones are estimated."""
    attempts = _attempts(job, now)
    runs, seconds = _estimated_runs(job, attempts), sum(ran.total_seconds() for ran in attempts)
    lost = runs > len(attempts)
    seconds = seconds * runs / len(attempts) if lost and attempts else seconds
    writes = _item_units(job) * job.version + _index_units(job) + _lane_units(job)
    blocked = sum(entry.status == "blocked" for entry in job.history)
    moved_on = job.version > HAPPY_VERSION
    reads = 0.5 + runs * moved_on + (READS_IN_LANE + READS_BLOCKED * blocked if job.lane else 0)
    lines = (
        CostLine(what="submission", quantity=1, unit="request", usd=REQUEST + INVOCATION, how="counted"),
        _line("time of the API", API_GB_SECONDS, "GB-second", GB_SECOND, "estimated"),
        _line("writes", writes, "write unit", WRITE_UNIT, "estimated"),
        _line("reads", reads, "read unit", READ_UNIT, "estimated"),
        _line("invocations", runs, "request", INVOCATION, "estimated"),
        _line("time of attempts", seconds * ATTEMPT_GB, "GB-second", GB_SECOND, "estimated" if lost else "counted"),
        _line("logs", runs, "attempt", LOGS_PER_ATTEMPT, "estimated"),
        _line("statistics", STATISTICS_UNITS * max(1, runs), "write unit", WRITE_UNIT, "estimated"),
    )
    return Cost(usd=sum(line.usd for line in lines), lines=lines)


def cost_of_series(series: tuple[Series, ...]) -> float:
    """What the attempts of some series cost, in dollars, with one submission for each job that ended."""
    attempts = sum(each.count for each in series)
    ended = sum(each.count for each in series if each.outcome != "retrying")
    seconds = added(each.running for each in series).total_ms / 1000
    submitted = REQUEST + INVOCATION + API_GB_SECONDS * GB_SECOND + 6 * WRITE_UNIT + 0.5 * READ_UNIT
    attempted = INVOCATION + LOGS_PER_ATTEMPT + STATISTICS_UNITS * WRITE_UNIT
    retried = (attempts - ended) * (4 * WRITE_UNIT + READ_UNIT)
    return ended * submitted + attempts * attempted + retried + seconds * ATTEMPT_GB * GB_SECOND


def _line(what: str, quantity: float, unit: str, price: float, how: How) -> CostLine:
    return CostLine(what=what, quantity=quantity, unit=unit, usd=quantity * price, how=how)


def _attempts(job: Job, now: datetime) -> tuple[timedelta, ...]:
    """How long each attempt in the history ran; the one that runs now, until now."""
    closed = HistoryEntry(status="now", at=now, attempt=job.attempt)
    moves = pairwise((*job.history, closed))
    return tuple(max(after.at - before.at, timedelta(0)) for before, after in moves if before.status == "running")


def _estimated_runs(job: Job, known: tuple[timedelta, ...]) -> int:
    return max(len(known), job.attempt)


def _item_units(job: Job) -> int:
    documents = (each for each in documents_of(job).values() if not isinstance(each, BlobRef))
    noted = sum(len((entry.message or "").encode()) for entry in job.history)
    size = ITEM_BASE + HISTORY_ENTRY * len(job.history) + noted + sum(len(text.encode()) for text in documents)
    return math.ceil(size / 1024)


def _lane_units(job: Job) -> int:
    if job.lane is None:
        return 0
    return IN_LANE + BLOCKED_AT_ONCE if job.history[0].status == "blocked" else IN_LANE


def _index_units(job: Job) -> int:
    moves = [ENTRIES.get(entry.status, 0) for entry in job.history[1:]]
    return CREATED + sum(moves) + sum(ENDED.get(entry.status, 0) for entry in job.history)
