"""Lists of schedules in DynamoDB: keys from the owner index, then the items without their payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable
from domain.schedules.schedule import Schedule
from persistence.converters.schedules import LISTED, item_to_schedule
from persistence.dynamodb.batch_reading import BatchReader
from persistence.dynamodb.index_keys import Index, Span, at_end, next_keys, places_of, position_of

if TYPE_CHECKING:
    from datetime import datetime

    from domain.ports import Random
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.batch_reading import Monotonic, Sleep
    from persistence.dynamodb.client import ClientSource

PAGE_SECONDS = 10.0
"""After this a page is given up, far below the function's timeout."""

_OWNER = Index(name="owner-index", partition="owner_id", sort="created_at")


class DynamoScheduleListing:
    """The `ScheduleListing` on a table, a client for it and a key for its cursors."""

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
        self, owner_id: str, page: PageRequest, now: datetime
    ) -> Page[Schedule] | BadCursor | StorageUnavailable:
        scope = ("schedules", owner_id)
        position = self._cursors.open(scope, page.cursor, now) if page.cursor else {}
        if isinstance(position, BadCursor):
            return position
        span = Span(index=_OWNER, prefix=owner_id)
        read = await next_keys(self._client, self._table, span, places_of(span, position), page.limit)
        if isinstance(read, StorageUnavailable):
            return read
        ids = tuple(key.id for key in read.keys)
        items = await self._reader.read(ids, LISTED, self._monotonic() + PAGE_SECONDS)
        if isinstance(items, StorageUnavailable):
            return items
        # The index lags behind: what is gone is left out.
        listed = (item_to_schedule({**items[id], "payload": {"S": "null"}}) for id in ids if id in items)
        found = tuple(each for each in listed if isinstance(each, Schedule))
        ended = at_end(span, read.places)
        following = None if ended else self._cursors.seal(scope, position_of(span, read.places), now)
        return Page(items=found, next=following)
