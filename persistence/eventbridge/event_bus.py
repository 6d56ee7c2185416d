"""The event bus on Amazon EventBridge: ten events a request."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, cast

from domain.results import StorageUnavailable
from domain.webhooks.event_bus import Unpublished
from persistence.dynamodb.client import CONFIG, STORAGE_ERRORS, as_result, session_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from domain.webhooks.event_bus import BusEvent

BATCH = 10
"""Events that one `PutEvents` takes."""
CONCURRENCY = 4
SOURCE = "headrace"


class EventsClient(Protocol):
    """The part of EventBridge's client that is used."""

    async def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> Mapping[str, object]: ...


class EventsSource(Protocol):
    """Gives the client of the running event loop, made at the first call."""

    async def __call__(self) -> EventsClient: ...


@asynccontextmanager
async def open_events_client(endpoint_url: str | None = None) -> AsyncIterator[EventsClient]:
    """A client for AWS (None), or for an endpoint as of DynamoDB's `open_client`."""
    session, url = session_for(endpoint_url)
    async with session.client("events", endpoint_url=url, config=CONFIG) as client:
        yield cast("EventsClient", client)


class EventBridgeBus:
    """The `EventBus` on a bus of EventBridge, by its name or ARN."""

    def __init__(self, client: EventsSource, bus: str) -> None:
        self._client = client
        self._bus = bus

    async def publish(self, events: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        slots = asyncio.Semaphore(CONCURRENCY)

        async def put(batch: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
            async with slots:
                return await self._put(batch)

        batches = [events[start : start + BATCH] for start in range(0, len(events), BATCH)]
        return tuple(each for unpublished in await asyncio.gather(*map(put, batches)) for each in unpublished)

    async def _put(self, batch: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        entries = [
            {"Source": SOURCE, "DetailType": each.type, "Detail": each.detail, "EventBusName": self._bus}
            for each in batch
        ]
        try:
            answer = await (await self._client()).put_events(Entries=entries)
        except STORAGE_ERRORS as error:
            problem = as_result(error)
            return tuple(Unpublished(event=each, problem=problem) for each in batch)
        results = answer.get("Entries")
        codes = [_error_code(result) for result in results] if isinstance(results, list) else []
        return tuple(
            Unpublished(event=event, problem=StorageUnavailable(reason="server", detail=code))
            for event, code in zip(batch, codes, strict=False)
            if code
        )


def _error_code(result: object) -> str:
    code = result.get("ErrorCode") if isinstance(result, dict) else None
    return code if isinstance(code, str) else ""
