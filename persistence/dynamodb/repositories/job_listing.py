"""Lists of jobs in DynamoDB: keys from an index, then the items. Which index, and why: docs/decisions/013."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING

from domain.jobs.job import Status, is_expired
from domain.jobs.listing import NO_TAGS, PAGE_BYTES, SUMMARIES, Include, JobFilter, JobSummary, answer_bytes
from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable
from headrace.authoring.frozen import Frozen
from persistence.converters.attributes import Unreadable, string_of
from persistence.converters.dynamo_to_domain import FAILED_SHARDS, WAKE_SHARDS, ended_suffix
from persistence.converters.job_summaries import item_to_summary, summary_attributes
from persistence.dynamodb.batch_reading import MAX_BATCH_GET, BatchReader
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.dynamodb.index_keys import Index, Key, Places, Span, at_end, key_of, next_keys, places_of, position_of

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_UNFINISHED: frozenset[Status] = frozenset({"scheduled", "blocked", "queued", "running", "retrying", "waiting"})


class _Wanted(Frozen):
    """One list: where its keys are, and which of their jobs belong to it."""

    span: Span
    owner_id: str | None
    filter: JobFilter
    scope: tuple[str, ...]
    """What its cursors are bound to: the tenant, and everything that the query is about."""
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
        ended = filter.status in {"failed", "cancelled"}
        index, suffix = (_ENDED, ended_suffix(filter.status)) if ended and filter.status else (_OWNER, "")
        wanted = _Wanted(
            span=Span(index=index, prefix=owner_id, suffixes=(suffix,)),
            owner_id=owner_id,
            filter=filter,
            scope=(index.name, owner_id, filter.status or "", filter.type or "", *_tag_scope(filter.tags)),
            include=include,
            limit=page.limit,
            now=now,
        )
        return await self._page(wanted, page.cursor)

    async def list_failed(
        self,
        type: str,
        page: PageRequest,
        now: datetime,
        include: Include = SUMMARIES,
        tags: Mapping[str, str] = NO_TAGS,
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        wanted = _Wanted(
            span=Span(index=_FAILED, prefix=type, suffixes=_FAILED_SUFFIXES),
            owner_id=None,
            filter=JobFilter(status="failed", type=type, tags=dict(tags)),
            scope=(_FAILED.name, type, str(FAILED_SHARDS), *_tag_scope(tags)),
            include=include,
            limit=page.limit,
            now=now,
        )
        return await self._page(wanted, page.cursor)

    async def list_unfinished(
        self, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        wanted = _Wanted(
            span=Span(index=_WAKE, prefix="", suffixes=WAKE_SHARDS),
            owner_id=None,
            filter=filter,
            scope=(_WAKE.name, filter.status or "", filter.type or "", str(len(WAKE_SHARDS)), *_tag_scope(filter.tags)),
            include=include,
            limit=page.limit,
            now=now,
        )
        return await self._page(wanted, page.cursor)

    async def _page(self, wanted: _Wanted, cursor: str | None) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        position = self._cursors.open(wanted.scope, cursor, wanted.now) if cursor else {}
        if isinstance(position, BadCursor):
            return position
        start, ends = _Filling(places=places_of(wanted.span, position)), self._monotonic() + PAGE_SECONDS
        if wanted.owner_id is None or wanted.filter.status not in _UNFINISHED:
            filled = await self._walked(wanted, start, None, ends)
        else:
            filled = await self._unfinished(wanted, start, ends)
        if isinstance(filled, StorageUnavailable):
            return filled
        if not filled.full and at_end(wanted.span, filled.places):
            return Page(items=filled.found)
        following = self._cursors.seal(wanted.scope, position_of(wanted.span, filled.places), wanted.now)
        return Page(items=filled.found, next=following)

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
            if string_of(item, "owner_id") == wanted.owner_id and string_of(item, "status") == wanted.filter.status
        )
        later = [key for key in mine if key and (place is None or (key.sort, key.id) < (place.sort, place.id))]
        return tuple(sorted(later, reverse=True))

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


def _tag_scope(tags: Mapping[str, str]) -> tuple[str, ...]:
    """What a cursor is bound to besides; nothing without tags, as in the previous version."""
    return (json.dumps(sorted(tags.items())),) if tags else ()


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
        wanted.filter.status in {None, job.status},
        wanted.filter.type in {None, job.type},
        wanted.filter.tags.items() <= job.tags.items(),
        wanted.span.index != _WAKE or job.status in _UNFINISHED,
    )
    return job if all(fits) else None
