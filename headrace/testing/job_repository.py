"""Jobs in memory, held to the same conformance suite as the real repository."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from pydantic import JsonValue

from domain.durable.step import TABLE as STEPS
from domain.jobs.change import (
    Change,
    Check,
    Companion,
    Condition,
    Delete,
    FollowUp,
    If,
    IfAbsent,
    IfEqual,
    IfNewer,
    Moved,
    Put,
    Update,
)
from domain.jobs.job import (
    Blocked,
    Cancelled,
    Failed,
    Job,
    Lease,
    Queued,
    Retrying,
    Running,
    Scheduled,
    Succeeded,
    Waiting,
    is_expired,
)
from domain.jobs.repository import (
    AddResult,
    CompanionRefused,
    DueJob,
    DuePage,
    DueState,
    JobExists,
    JobNotFound,
    ReplaceResult,
    VersionConflict,
)
from domain.lanes.lane import TABLE as LANES
from domain.results import ItemTooLarge, StorageUnavailable
from persistence.converters.attributes import MAX_ITEM_BYTES, item_size, timestamp
from persistence.converters.companions import companion_writes
from persistence.converters.dynamo_to_domain import WAKE_SHARDS, job_to_item, line_rank, wake_shard

Item = dict[str, JsonValue]

TABLES: Mapping[str, str] = MappingProxyType({LANES: "LanesTable", STEPS: "JobStepsTable"})
"""The tables of companions, with their names."""


class FakeJobRepository:
    """Dictionaries with the tables' conditions."""

    def __init__(self, companions: Mapping[str, str] = TABLES) -> None:
        self._jobs: dict[str, Job] = {}
        self._companions = {**companions, "": "JobsTable"}
        self._items: dict[tuple[str, str], Item] = {}
        self._lines: dict[str, dict[str, str]] = {}

    def put_item(self, table: str, key: Mapping[str, str | int], item: Item | None) -> None:
        """Store an item where companions write too, or remove it: for the fakes of other repositories."""
        if item is None:
            self._items.pop(_place(table, key), None)
        else:
            self._items[_place(table, key)] = item

    @property
    def stored(self) -> tuple[Job, ...]:
        """Every stored job, for the fake of the listing."""
        return tuple(self._jobs.values())

    def delete_expired(self, now: datetime) -> None:
        """Do what DynamoDB does some time after jobs have expired."""
        self._jobs = {id: job for id, job in self._jobs.items() if not is_expired(job.expires_at, now)}

    def find(self, job_id: str) -> Job | None:
        """A stored job, whether it has expired or not."""
        return self._jobs.get(job_id)

    @property
    def lines(self) -> Mapping[str, Mapping[str, str]]:
        """The blocked jobs of each lane, by id, with their ranks; for the fake of the lanes."""
        return self._lines

    def item(self, table: str, key: Mapping[str, str | int]) -> Item | None:
        """What companions left under a key."""
        return self._items.get(_place(table, key))

    def items_of(self, table: str) -> tuple[Item, ...]:
        """All that companions left in a table."""
        return tuple(item for (name, _), item in self._items.items() if name == table)

    def remove_item(self, companion: Delete) -> None:
        """Delete what a companion left, if the condition holds."""
        if holds(companion.condition, self.item(companion.table, companion.key)):
            self._apply(companion)

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return WAKE_SHARDS

    async def add(self, change: Change, now: datetime) -> AddResult:
        current = self._jobs.get(change.job.id)
        if (refused := self._unacceptable(change)) is not None:
            return refused
        if current is not None and not is_expired(current.expires_at, now):
            return JobExists(current=current)
        return self._refused_companion(change) or self._committed(change)

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound:
        job = self._jobs.get(job_id)
        return JobNotFound(job_id=job_id) if job is None or is_expired(job.expires_at, now) else job

    async def get_all(self, job_ids: tuple[str, ...], now: datetime) -> Mapping[str, Job]:
        found = [await self.get(id, now) for id in job_ids]
        return {job.id: job for job in found if isinstance(job, Job)}

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        current = self._jobs.get(change.job.id)
        if (refused := self._unacceptable(change)) is not None:
            return refused
        if current is None or current.version != expected_version:
            return VersionConflict(job_id=change.job.id, current=current)
        return self._refused_companion(change) or self._committed(change)

    def _unacceptable(self, change: Change) -> ItemTooLarge | StorageUnavailable | None:
        """Why the change cannot be written, whatever is stored."""
        size = item_size(job_to_item(change.job, "w" * 36))
        if size > MAX_ITEM_BYTES:
            return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES)
        writes = companion_writes(change.companions, self._companions, size)
        return writes if isinstance(writes, StorageUnavailable) else None

    def _refused_companion(self, change: Change) -> CompanionRefused | None:
        for index, companion in enumerate(change.companions):
            if isinstance(companion, FollowUp):
                standing = self._jobs.get(companion.job.id)
                if standing is not None and not is_expired(standing.expires_at, companion.job.created_at):
                    return CompanionRefused(job_id=change.job.id, index=index)
            elif isinstance(companion, Moved):
                other = self._jobs.get(companion.job.id)
                if other is None or other.version != companion.expected_version:
                    return CompanionRefused(job_id=change.job.id, index=index)
            elif not holds(companion.condition, self.item(companion.table, companion.key)):
                return CompanionRefused(job_id=change.job.id, index=index)
        return None

    def _committed(self, change: Change) -> Job:
        for companion in change.companions:
            self._apply(companion)
        self._store(change.job)
        for job in (*(each.job for each in change.companions if isinstance(each, FollowUp | Moved)), change.job):
            self._written(job)
        return change.job

    def _written(self, job: Job) -> None:
        """Is called for each job that a commit wrote, when all of it is written."""

    def _store(self, job: Job) -> None:
        self._jobs[job.id] = job
        rank = line_rank(job)
        if job.lane is not None and rank is not None:
            line = self._lines.setdefault(job.lane.name, {})
            line.pop(job.id, None)
            line |= {job.id: rank} if isinstance(job.state, Blocked) else {}

    def _apply(self, companion: Companion) -> None:
        match companion:
            case Put(table=table, key=key, values=values):
                self._items[_place(table, key)] = {**values, **key}
            case FollowUp(job=job) | Moved(job=job):
                self._store(job)
            case Update(table=table, key=key):
                standing = self.item(table, key) or {}
                changed = {
                    **standing,
                    **companion.set,
                    **{name: _sum(standing, name, by) for name, by in companion.add.items()},
                }
                kept = {name: value for name, value in changed.items() if name not in companion.remove}
                self._items[_place(table, key)] = {**kept, **key}
            case Delete(table=table, key=key):
                self._items.pop(_place(table, key), None)
            case Check():
                pass

    async def due(
        self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
    ) -> DuePage:
        entries = sorted(
            (timestamp(job.wake_at), job.id, job.wake_at)
            for job in self._jobs.values()
            if job.wake_at is not None
            and job.wake_at <= now
            and (since is None or job.wake_at > since)
            and wake_shard(job.id) == shard
        )
        rest = [entry for entry in entries if after is None or f"{entry[0]} {entry[1]}" > after]
        page = rest[:limit]
        following = f"{page[-1][0]} {page[-1][1]}" if len(rest) > limit else None
        return DuePage(entries=tuple(DueJob(id=id, wake_at=wake_at) for _, id, wake_at in page), next=following)

    async def due_states(self, job_ids: tuple[str, ...]) -> dict[str, DueState]:
        states = ((id, _due_state(self._jobs[id])) for id in job_ids if id in self._jobs)
        return {id: state for id, state in states if state is not None}


def _due_state(job: Job) -> DueState | None:
    match job.state:
        case Waiting(status=status, until=since):
            pass
        case Scheduled(status=status, run_at=since) | Queued(status=status, queued_at=since):
            pass
        case Blocked(status=status, since=since):
            pass
        case Retrying(status=status, retry_at=since) | Running(status=status, lease=Lease(until=since)):
            pass
        case Succeeded() | Failed() | Cancelled():
            return None
    return DueState(type=job.type, status=status, since=since, written_at=job.updated_at)


def _place(table: str, key: Mapping[str, str | int]) -> tuple[str, str]:
    return table, json.dumps(key, sort_keys=True)


def holds(condition: Condition | None, standing: Item | None) -> bool:
    """Whether a companion's condition does, of the item that stands under its key."""
    match condition:
        case None:
            return True
        case IfAbsent():
            return standing is None
        case IfEqual(attributes=attributes):
            return _equal({} if standing is None else standing, attributes)
        case IfNewer(name=name, value=value):
            return standing is None or _number(standing, name) < value
        case If():
            return standing is not None and _tests_hold(condition, standing)


def _equal(present: Item, attributes: Mapping[str, JsonValue]) -> bool:
    return all(
        name in present and _comparable(present[name]) == _comparable(value) for name, value in attributes.items()
    )


def _tests_hold(condition: If, present: Item) -> bool:
    low = all(_number(present, name) >= value for name, value in condition.at_least.items())
    high = all(_number(present, name) <= value for name, value in condition.at_most.items())
    known = all(name in present for name in (*condition.at_least, *condition.at_most))
    absent = not any(name in present for name in condition.missing)
    return known and low and high and absent and _equal(present, condition.equal)


def _number(present: Item, name: str) -> int | float:
    value = present.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _sum(present: Item, name: str, by: float) -> int | float:
    return by + _number(present, name) if name in present else by


def _comparable(value: JsonValue) -> object:
    """In DynamoDB a truth value is no number."""
    match value:
        case bool():
            return "BOOL", value
        case list():
            return [_comparable(member) for member in value]
        case dict():
            return {name: _comparable(member) for name, member in value.items()}
        case _:
            return value
