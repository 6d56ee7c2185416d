"""What lives as long as an execution environment: one event loop and one DynamoDB client.

Lambda freezes the process between invocations and thaws it for the next. An aiobotocore client
belongs to one loop, so both are kept; a connection that died during a freeze is replaced by the
SDK's own retry.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from persistence.cursors import CursorCodec
from persistence.dynamodb.client import CONFIG, open_client
from persistence.dynamodb.repositories.job_listing import DynamoJobListing
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.repositories.user_repository import DynamoUserRepository

if TYPE_CHECKING:
    from aiobotocore.config import AioConfig
    from types_aiobotocore_dynamodb.client import DynamoDBClient

    from functions.settings import Settings

T = TypeVar("T")


def now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


_RANDOM = random.SystemRandom()


def new_random() -> float:
    """A number from [0, 1), for jitter.

    The system's: environments restored from one snapshot (SnapStart) would share a generator's state, and their
    retries would come all at once.
    """
    return _RANDOM.random()


class LazyClient:
    """A `ClientSource`: opens the client at the first call and returns the same one ever after."""

    def __init__(self, endpoint_url: str | None, config: AioConfig = CONFIG) -> None:
        self._endpoint_url = endpoint_url
        self._config = config
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._clients: list[DynamoDBClient] = []

    async def __call__(self) -> DynamoDBClient:
        if not self._clients:
            async with self._opening:
                if not self._clients:
                    client = await self._stack.enter_async_context(open_client(self._endpoint_url, self._config))
                    self._clients.append(client)
        return self._clients[0]

    async def close(self) -> None:
        """Close the client, if it was opened."""
        await self._stack.aclose()


class Runtime:
    """The loop, the client and the repositories of one execution environment."""

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # Mangum asks asyncio for the loop.
        self.client = LazyClient(settings.endpoint_url)
        self.jobs = job_repository(settings, self.client)
        self.users = user_repository(settings, self.client)

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` to its end on the environment's one loop."""
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        """End the environment; Lambda never calls this, tests do."""
        self.run(self.client.close())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()


def job_repository(settings: Settings, client: LazyClient) -> DynamoJobRepository:
    """The job repository of these settings."""
    return DynamoJobRepository(client, settings.jobs_table, new_id, settings.wake_shards)


def job_listing(settings: Settings, client: LazyClient) -> DynamoJobListing:
    """The lists of jobs of these settings; for the API alone, which has the key for cursors."""
    cursors = CursorCodec(settings.cursor_key.encode())
    shards = job_repository(settings, client).wake_shards
    return DynamoJobListing(client, settings.jobs_table, cursors, shards, new_random, asyncio.sleep, time.monotonic)


def user_repository(settings: Settings, client: LazyClient) -> DynamoUserRepository:
    """The user repository of these settings."""
    return DynamoUserRepository(client, settings.users_table, settings.user_emails_table, new_id)
