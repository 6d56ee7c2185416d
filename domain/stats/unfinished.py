"""What is unfinished, by state: read from the wake index when somebody asks, so that it costs nothing otherwise."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime

from domain.jobs.repository import DueJob, DuePage, DueState, JobRepository
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen

EXACT_UP_TO: Final = 1000
"""Unfinished jobs whose states are all read; of more, as many are taken as a sample."""

_CHUNK: Final = 100
"""Of `JobRepository.due_states`."""
_ALWAYS: Final = timedelta(days=36_500)
_IMPOSSIBLE_TO_START: Final = frozenset({"running", "blocked"})
"""States in which a job is not due, however long ago they began: it runs, or waits for something else than its time."""


class OldestDue(Frozen):
    """The job that could have started the longest ago and has not."""

    job_id: str
    type: str
    status: str
    since: AwareDatetime
    """When it was due or queued."""


class Unfinished(Frozen):
    """How many jobs are unfinished, and in which states."""

    total: int
    exact: bool
    """Whether each was looked at. Of more than 1,000 the numbers are estimated from a sample; beyond 8,008 they are too
    low."""
    by_status: dict[str, int]
    oldest_due: OldestDue | None
    """Of those looked at, which are those that are due the earliest."""


async def unfinished(jobs: JobRepository, now: datetime, type: str | None = None) -> Unfinished | StorageUnavailable:
    """Count what is unfinished, of one type if that is given: at most 8,008 entries and 1,000 jobs are read."""
    shards = jobs.wake_shards
    pages = await asyncio.gather(*(jobs.due(shard, now + _ALWAYS, EXACT_UP_TO + 1, None) for shard in shards))
    read = [page for page in pages if isinstance(page, DuePage)]
    failed = [page for page in pages if isinstance(page, StorageUnavailable)]
    if failed:
        return failed[0]
    found = sum(len(page.entries) for page in read)
    small = found <= EXACT_UP_TO and not any(page.next for page in read)
    sample = [entry.id for page in read for entry in (page.entries if small else _some(page.entries, found))]
    chunks = await _states(jobs, sample)
    states = {id: state for chunk in chunks for id, state in chunk.items()}
    wanted = {id: state for id, state in states.items() if type in {None, state.type}}
    looked_at = Counter(state.status for state in wanted.values())
    share = 1.0 if small or not states else found / len(states)
    by_status = {status: round(count * share) for status, count in sorted(looked_at.items())}
    return Unfinished(
        total=sum(by_status.values()),
        exact=small and all(chunks),
        by_status=by_status,
        oldest_due=_oldest(wanted, now),
    )


def _some(entries: tuple[DueJob, ...], found: int) -> Iterable[DueJob]:
    """The share of a shard's entries in the sample, evenly from the first to the last."""
    step = max(1.0, found / EXACT_UP_TO)
    return (entries[int(number * step)] for number in range(int(len(entries) / step)))


async def _states(jobs: JobRepository, ids: list[str]) -> list[Mapping[str, DueState]]:
    """The states of these jobs; a part of them that is empty may not have been read."""
    chunks = [tuple(ids[begin : begin + _CHUNK]) for begin in range(0, len(ids), _CHUNK)]
    return await asyncio.gather(*(jobs.due_states(chunk) for chunk in chunks))


def _oldest(states: dict[str, DueState], now: datetime) -> OldestDue | None:
    due = [
        (state.since, id, state)
        for id, state in states.items()
        if state.status not in _IMPOSSIBLE_TO_START and state.since <= now
    ]
    if not due:
        return None
    since, id, state = min(due, key=lambda each: each[:2])
    return OldestDue(job_id=id, type=state.type, status=state.status, since=since)
