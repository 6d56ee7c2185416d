"""Lists of jobs in DynamoDB: keys from an index, then the items. Which index, and why: docs/decisions/013."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from domain.jobs.filtering import EVERY_JOB, UNFINISHED, JobFilter, admits, scope_of
from domain.jobs.job import Status, is_expired
from domain.jobs.listing import PAGE_BYTES, SUMMARIES, Include, JobSummary, answer_bytes
from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable
from headrace.authoring.frozen import Frozen
from persistence.converters.attributes import Unreadable, string_of, timestamp
from persistence.converters.dynamo_to_domain import FAILED_SHARDS, WAKE_SHARDS, ended_suffix
from persistence.converters.job_summaries import item_to_summary, summary_attributes
from persistence.dynamodb.batch_reading import MAX_BATCH_GET, BatchReader
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.dynamodb.index_keys import Index, Key, Places, Span, at_end, key_of, next_keys, places_of, position_of

if TYPE_CHECKING:
    from domain.ports import Random
    from persistence.converters.attributes import Item
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.batch_reading import Monotonic, Sleep
    from persistence.dynamodb.client import ClientSource

PAGE_SECONDS = 10.0
"""After this a page ends with what it has, far below the function's timeout."""
MAX_CALLS = 20
"""Calls that a page makes for a filter that matches little, before it ends short and with a cursor."""
MAX_UNFINISHED_READ = 25
"""Unfinished jobs, of all tenants, that are read to find an owner's: units are charged for whole items."""
WITH_DOCUMENTS = 16
"""Items read at once when their documents come along: at most 6.4 MB in memory, below BatchGetItem's 16 MB."""

_OWNER = Index(name="owner-index", partition="owner_id", sort="created_at")
_ENDED = Index(name="ended-index", partition="wake_shard", sort="finished_at")
_FAILED = Index(name="failed-index", partition="failed_type", sort="finished_at")
_WAKE = Index(name="wake-index", partition="wake_shard", sort="wake_at", ascending=True)
# The unsharded partition is where the previous version puts a failed job.
_FAILED_SUFFIXES = ("", *(f"#{shard}" for shard in range(FAILED_SHARDS)))
_ENDED_APART: frozenset[Status] = frozenset({"failed", "cancelled"})
"""The ended index has these, each in partitions of its own."""


class _Wanted(Frozen):
    """One list: where its keys are, and which of their jobs belong to it."""

    span: Span
    owner_id: str | None
    filter: JobFilter
    include: Include
    limit: int
    now: datetime


class _Filling(Frozen):
    """A page in the making; `full` when a further job was seen that has no room."""

    found: tuple[JobSummary, ...] = ()
    places: Places
    bytes: int = 0
    full: bool = False


class DynamoJobListing:
    """The `JobListing` on a table, a client for it and a key for its cursors."""

    def __init__(
        self,
        client: ClientSource,
        table: str,
        cursors: CursorCodec,
        random: Random,
        sleep: Sleep,
        monotonic: Monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._cursors = cursors
        self._monotonic = monotonic
        self._reader = BatchReader(client, table, random, sleep, monotonic)

    async def list_by_owner(
        self, owner_id: str, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        ended = bool(filter.statuses) and _ENDED_APART.issuperset(filter.statuses)
        suffixes = tuple(sorted(map(ended_suffix, set(filter.statuses)))) if ended else ("",)
        span = Span(index=_ENDED if ended else _OWNER, prefix=owner_id, suffixes=suffixes, reverse=filter.reverse)
        scope = (span.index.name, owner_id, *scope_of(filter))
        return await self._page(span, owner_id, filter, scope, page, now, include)

    async def list_failed(
        self,
        type: str,
        page: PageRequest,
        now: datetime,
        include: Include = SUMMARIES,
        filter: JobFilter = EVERY_JOB,
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        failed = filter.model_copy(update={"statuses": ("failed",), "types": (type,)})
        span = Span(index=_FAILED, prefix=type, suffixes=_FAILED_SUFFIXES, reverse=filter.reverse)
        scope = (_FAILED.name, type, str(FAILED_SHARDS), *scope_of(failed)[2:])
        return await self._page(span, None, failed, scope, page, now, include)

    async def list_unfinished(
        self, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        span = Span(index=_WAKE, prefix="", suffixes=WAKE_SHARDS, reverse=filter.reverse)
        status, type, *more = scope_of(filter)
        scope = (_WAKE.name, status, type, str(len(WAKE_SHARDS)), *more)
        return await self._page(span, None, filter, scope, page, now, include)

    async def _page(
        self,
        span: Span,
        owner_id: str | None,
        filter: JobFilter,
        scope: tuple[str, ...],
        page: PageRequest,
        now: datetime,
        include: Include,
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        position = self._cursors.open(scope, page.cursor, now) if page.cursor else {}
        if isinstance(position, BadCursor):
            return position
        if filter.created_from and filter.created_to and filter.created_to <= filter.created_from:
            return Page(items=())  # DynamoDB refuses such a range.
        wanted = _Wanted(
            span=_bounded(span, filter), owner_id=owner_id, filter=filter, include=include, limit=page.limit, now=now
        )
        start, ends = _Filling(places=places_of(span, position)), self._monotonic() + PAGE_SECONDS
        if owner_id is not None and filter.statuses and UNFINISHED.issuperset(filter.statuses):
            filled = await self._unfinished(wanted, start, ends)
        else:
            filled = await self._walked(wanted, start, None, ends)
        if isinstance(filled, StorageUnavailable):
            return filled
        if not filled.full and at_end(span, filled.places):
            return Page(items=filled.found)
        return Page(items=filled.found, next=self._cursors.seal(scope, position_of(span, filled.places), now))

    async def _walked(
        self, wanted: _Wanted, start: _Filling, among: frozenset[str] | None, ends: float
    ) -> _Filling | StorageUnavailable:
        """Along the index, in its order; only ids that are `among` these are read, if that is given."""
        filling = start
        # One more than requested shows whether another page follows. Keys alone are cheap, so take all.
        limit = None if among is not None else min(wanted.limit + 1, MAX_BATCH_GET)
        for _ in range(MAX_CALLS // (len(wanted.span.suffixes) + 1)):
            read = await next_keys(self._client, self._table, wanted.span, filling.places, limit)
            if isinstance(read, StorageUnavailable):
                return read
            keys = tuple(key for key in read.keys if among is None or key.id in among)
            filled = await self._filled(wanted, filling, keys, ends)
            if isinstance(filled, StorageUnavailable) or filled.full:
                return filled
            filling = filled.model_copy(update={"places": read.places})
            if at_end(wanted.span, filling.places) or len(filling.found) == wanted.limit or self._monotonic() >= ends:
                return filling
            limit = None if among is not None else MAX_BATCH_GET
        return filling

    async def _unfinished(self, wanted: _Wanted, start: _Filling, ends: float) -> _Filling | StorageUnavailable:
        """By the wake index, which holds every tenant's unfinished jobs and no finished one."""
        ids = await self._unfinished_ids()
        if isinstance(ids, StorageUnavailable):
            return ids
        if ids is None or len(ids) > MAX_UNFINISHED_READ:
            return await self._walked(wanted, start, ids, ends)
        keys = await self._keys_among(wanted, start, ids, ends)
        if isinstance(keys, StorageUnavailable):
            return keys
        filled = await self._filled(wanted, start, keys[: wanted.limit + 1], ends)
        if isinstance(filled, StorageUnavailable) or filled.full or len(keys) > wanted.limit + 1:
            return filled
        return filled.model_copy(update={"places": {"": None}})

    async def _unfinished_ids(self) -> frozenset[str] | StorageUnavailable | None:
        """The ids in the wake index; None when a partition has more than one answer holds (some 12,000)."""
        parts = await asyncio.gather(*(self._wake_shard(shard) for shard in WAKE_SHARDS))
        failed = [part for part in parts if isinstance(part, StorageUnavailable)]
        if failed:
            return failed[0]
        whole = [part for part in parts if isinstance(part, frozenset)]
        return frozenset[str]().union(*whole) if len(whole) == len(parts) else None

    async def _wake_shard(self, shard: str) -> frozenset[str] | StorageUnavailable | None:
        try:
            answer = await (await self._client()).query(
                TableName=self._table,
                IndexName="wake-index",
                KeyConditionExpression="wake_shard = :shard",
                ExpressionAttributeValues={":shard": {"S": shard}},
                ProjectionExpression="id",
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        if answer.get("LastEvaluatedKey"):
            return None
        return frozenset(id for key in answer["Items"] if (id := string_of(key, "id")))

    async def _keys_among(
        self, wanted: _Wanted, start: _Filling, ids: frozenset[str], ends: float
    ) -> tuple[Key, ...] | StorageUnavailable:
        """Those of `ids` that are the owner's and of the status, as keys of the owner index after the cursor."""
        items = await self._reader.read(tuple(sorted(ids)), ("id", "owner_id", "status", "created_at"), ends)
        if isinstance(items, StorageUnavailable):
            return items
        place = start.places.get("")
        mine = (
            key_of(item, _OWNER)
            for item in items.values()
            if string_of(item, "owner_id") == wanted.owner_id and string_of(item, "status") in wanted.filter.statuses
        )
        ordered = sorted((key for key in mine if key), reverse=not wanted.span.ascending)
        return tuple(key for key in ordered if place is None or _follows(key, place, wanted.span))

    async def _filled(
        self, wanted: _Wanted, start: _Filling, keys: tuple[Key, ...], ends: float
    ) -> _Filling | StorageUnavailable:
        """The page after these keys were tried in their order, a chunk at a time, so that memory is bounded."""
        filling, attributes = start, summary_attributes(wanted.include)
        chunk = WITH_DOCUMENTS if wanted.include else MAX_BATCH_GET
        for begin in range(0, len(keys), chunk):
            part = keys[begin : begin + chunk]
            items = await self._reader.read(tuple(key.id for key in part), attributes, ends)
            if isinstance(items, StorageUnavailable):
                return items
            for key in part:
                filling = _with(filling, key, _kept(items.get(key.id), wanted), wanted.limit)
                if filling.full:
                    return filling
        return filling


def _bounded(span: Span, filter: JobFilter) -> Span:
    """The keys that can be of jobs that were created when the filter says: none ends before it was created."""
    since = None if filter.created_from is None else timestamp(filter.created_from)
    until = None if filter.created_to is None else timestamp(filter.created_to)
    if span.index == _OWNER:
        return span.model_copy(update={"least": since, "most": until})
    return span if span.index == _WAKE else span.model_copy(update={"least": since})


def _follows(key: Key, place: Key, span: Span) -> bool:
    one, other = (key.sort, key.id), (place.sort, place.id)
    return other < one if span.ascending else one < other


def _with(filling: _Filling, key: Key, job: JobSummary | None, limit: int) -> _Filling:
    """The page past `key`; with its job, if there is room for it."""
    places = {**filling.places, key.suffix: key}
    if job is None:
        return filling.model_copy(update={"places": places})
    size = filling.bytes + answer_bytes(job)
    if filling.found and (len(filling.found) == limit or size > PAGE_BYTES):
        return filling.model_copy(update={"full": True})
    return _Filling(found=(*filling.found, job), places=places, bytes=size)


def _kept(item: Item | None, wanted: _Wanted) -> JobSummary | None:
    """The entry, if the item is a job that belongs to the list. The index lags: the item decides."""
    job = item_to_summary(item, wanted.include) if item is not None else None
    if job is None or isinstance(job, Unreadable) or is_expired(job.expires_at, wanted.now):
        return None
    fits = (
        wanted.owner_id in {None, job.owner_id},
        admits(wanted.filter, job),
        wanted.span.index != _WAKE or job.status in UNFINISHED,
    )
    return job if all(fits) else None
