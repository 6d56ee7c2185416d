"""The webhook endpoints as the recorder knows them: read now and then, while there is something to tell."""

from datetime import datetime, timedelta

from domain.results import StorageUnavailable
from domain.webhooks.endpoint import Endpoint
from domain.webhooks.repository import EndpointRepository

FRESH = timedelta(seconds=30)
"""How old what is known may be. A new or changed endpoint counts after this, and a second for the index, at the latest;
one that was disabled or deleted gets nothing at once, for each attempt of a delivery reads it."""


class KnownEndpoints:
    """The endpoints as they were at most `FRESH` ago. One query each `FRESH` while jobs end, and none while idle."""

    def __init__(self, endpoints: EndpointRepository) -> None:
        self._endpoints = endpoints
        self._known: tuple[Endpoint, ...] = ()
        self._read_at: datetime | None = None

    async def current(self, now: datetime) -> tuple[Endpoint, ...] | StorageUnavailable:
        """Those that are enabled or not, read again if what is known is too old."""
        if self._read_at is not None and timedelta(0) <= now - self._read_at < FRESH:
            return self._known
        found = await self._endpoints.all()
        if not isinstance(found, StorageUnavailable):
            self._known, self._read_at = found, now
        return found
