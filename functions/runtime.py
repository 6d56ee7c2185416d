"""What lives as long as an execution environment: one event loop, one DynamoDB client and, where needed, one of S3.

Lambda freezes the process between invocations and thaws it for the next. An aiobotocore client
belongs to one loop, so both are kept; a connection that died during a freeze is replaced by the
SDK's own retry.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sys
import uuid
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Generic, TypeVar

from persistence.dynamodb.client import CONFIG, open_client
from persistence.s3.client import open_s3_client

if TYPE_CHECKING:
    from aiobotocore.config import AioConfig
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_s3.client import S3Client

C = TypeVar("C")
T = TypeVar("T")

MB_A_CPU = 1769
MAX_CPUS = 6
"""Of a Lambda function."""


def now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


def new_secret() -> bytes:
    """32 unpredictable bytes, also in environments restored from one snapshot."""
    return os.urandom(32)


_RANDOM = random.SystemRandom()


def new_key_secret() -> str:
    """256 random bits as 43 characters of base64url."""
    import secrets  # noqa: PLC0415 - only keys need it

    return secrets.token_urlsafe(32)


def new_random() -> float:
    """A number from [0, 1), for jitter.

    The system's: environments restored from one snapshot (SnapStart) would share a generator's state, and their
    retries would come all at once.
    """
    return _RANDOM.random()


@cache
def environment_id() -> str:
    """A name for this execution environment, made at the first call.

    Not at start: environments restored from one snapshot would share it.
    """
    return new_id()


def cpus(environment: Mapping[str, str]) -> int:
    """How many CPUs' worth of time the function has: a vCPU for each 1,769 MB (Lambda Developer Guide, "Memory")."""
    memory = int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"))
    share = round(memory / MB_A_CPU) if memory else MAX_CPUS
    return max(1, min(share, os.cpu_count() or 1))


def peak_memory_mb() -> int:
    """The most memory that this process has held so far (getrusage(2) counts kilobytes, on macOS bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)


class Lazy(Generic[C]):
    """A client that is opened at the first call; later calls return the same one."""

    def __init__(self, open_it: Callable[[], AbstractAsyncContextManager[C]]) -> None:
        self._open = open_it
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._clients: list[C] = []

    async def __call__(self) -> C:
        if not self._clients:
            async with self._opening:
                if not self._clients:
                    self._clients.append(await self._stack.enter_async_context(self._open()))
        return self._clients[0]

    async def close(self) -> None:
        """Close the client, if it was opened."""
        await self._stack.aclose()


class LazyClient:
    """A `ClientSource` for DynamoDB."""

    def __init__(self, endpoint_url: str | None, config: AioConfig = CONFIG) -> None:
        self._lazy = Lazy(partial(open_client, endpoint_url, config))

    async def __call__(self) -> DynamoDBClient:
        return await self._lazy()

    async def close(self) -> None:
        """Close the client, if it was opened."""
        await self._lazy.close()


class LazyS3:
    """An `S3ClientSource`: opens the client of S3 when a blob is first read or written, which few jobs need."""

    def __init__(self, endpoint_url: str | None) -> None:
        self._lazy = Lazy(partial(open_s3_client, endpoint_url))

    async def __call__(self) -> S3Client:
        return await self._lazy()

    async def close(self) -> None:
        """Close the client, if it was opened."""
        await self._lazy.close()


class Runtime:
    """The loop and the clients of one execution environment."""

    def __init__(self, endpoint_url: str | None) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # Mangum asks asyncio for the loop.
        self.client = LazyClient(endpoint_url)
        self._others: list[LazyS3] = []

    def s3(self, endpoint_url: str | None) -> LazyS3:
        """A client for S3, for the life of the environment."""
        client = LazyS3(endpoint_url)
        self._others.append(client)
        return client

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` to its end on the environment's one loop.

        A `KeyboardInterrupt` or `SystemExit` that a handler raises in a task of its own would end the loop under all
        other jobs (asyncio raises these two at once); the code that awaits that task gets it too, which is enough.
        """
        task = self._loop.create_task(work)
        while True:
            try:
                return self._loop.run_until_complete(task)
            except (KeyboardInterrupt, SystemExit):
                if task.done():
                    self._turn_once()
                    return task.result()

    def _turn_once(self) -> None:
        """Let the loop come to the stop that it was asked for, which its next run would else begin with."""
        with suppress(KeyboardInterrupt, SystemExit):
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    def close(self) -> None:
        """End the environment; Lambda never calls this, tests do."""
        self.run(self.client.close())
        for client in self._others:
            self.run(client.close())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()
