"""What the local stack does in the background: delivers streams and queues to functions, and runs schedules."""

from __future__ import annotations

import asyncio
import itertools
import os
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import aioboto3
from aiobotocore.config import AioConfig

from headrace.authoring.frozen import Frozen
from headrace.emulator.event_source_mapping import StreamPump
from headrace.emulator.queue_mapping import QueuePump
from headrace.emulator.schedule import run_schedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping

    from types_aiobotocore_sqs.client import SQSClient

    from headrace.emulator.function_pool import FunctionPool
    from headrace.emulator.queue_template import QueueMapping
    from headrace.emulator.state import Folder
    from headrace.emulator.template import EventSourceMapping, Stack

MAX_API_CONCURRENCY = 8
MAX_WORKER_CONCURRENCY = max(4, os.cpu_count() or 1)
"""Limits worker processes, however many lanes the stream has: more of them than CPUs only slow a laptop down."""
MAX_RUNNER_CONCURRENCY = 10
"""Of a function that only queues start: one job of a runner may take minutes, and most of them wait."""
MAX_QUEUE_CONNECTIONS = 100
"""Each poller of a queue holds one while it waits for messages."""
DRAIN_SECONDS = 10.0
EMBEDDED_POLL_SECONDS = 0.05
REMOTE_POLL_SECONDS = 0.5


class Services(Frozen):
    """Where streams and queues are read."""

    database_url: str
    queues_url: str
    poll_seconds: float
    """Between two reads of a stream that is at its end, while something happens in it."""
    sweep_seconds: float | None
    """Between two runs of a schedule; None is as the template says."""


def concurrency(stack: Stack, function: str) -> int:
    """How many environments a function may have: as its stream and queues ask for, within limits, or an API, or one."""
    streams = [mapping.parallelization_factor for mapping in stack.mappings if mapping.function == function]
    limit = MAX_WORKER_CONCURRENCY if streams else MAX_RUNNER_CONCURRENCY
    queues = [mapping.maximum_concurrency or limit for mapping in stack.queue_mappings if mapping.function == function]
    if streams or queues:
        return min(max(streams + queues), limit)
    return MAX_API_CONCURRENCY if any(route.function == function for route in stack.routes) else 1


@asynccontextmanager
async def background(
    stack: Stack,
    folder: Folder,
    pools: Mapping[str, FunctionPool],
    services: Services,
    watches: tuple[Callable[[], Coroutine[None, None, None]], ...],
    report_unfinished: Callable[[], Awaitable[None]],
) -> AsyncIterator[None]:
    """Deliver until the end, and then drain streams and queues, so that no trigger is lost."""
    async with AsyncExitStack() as clients:
        session = aioboto3.Session()  # One: each reads the SDK's files anew.
        streams = [await _stream(session, clients, folder, mapping, pools, services) for mapping in stack.mappings]
        for pool, stream in itertools.product(pools.values(), streams):
            pool.after_each(stream.hurry)
        config = AioConfig(max_pool_connections=MAX_QUEUE_CONNECTIONS)
        opening = session.client("sqs", endpoint_url=services.queues_url, config=config)
        sqs = await clients.enter_async_context(opening)
        queues = [
            await _queue(sqs, mapping, pools, concurrency(stack, mapping.function)) for mapping in stack.queue_mappings
        ]
        pumps: list[StreamPump | QueuePump] = [*streams, *queues]
        work = [
            *(watch() for watch in watches),
            *(pump.run() for pump in pumps),
            *(run_schedule(each, pools[each.function], services.sweep_seconds) for each in stack.schedules),
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            try:
                yield
                # What waits for mended code would wait until the time is over.
                seconds = 0.0 if any(pools[mapping.function].is_held for mapping in stack.mappings) else DRAIN_SECONDS
                drained = await asyncio.gather(*(pump.drain(seconds) for pump in pumps))
                if not all(drained):
                    await report_unfinished()
            finally:
                for task in tasks:
                    task.cancel()


async def _stream(
    session: aioboto3.Session,
    clients: AsyncExitStack,
    folder: Folder,
    mapping: EventSourceMapping,
    pools: Mapping[str, FunctionPool],
    services: Services,
) -> StreamPump:
    url = services.database_url
    tables = await clients.enter_async_context(session.client("dynamodb", endpoint_url=url))
    described = await tables.describe_table(TableName=mapping.table)
    arn = described["Table"]["LatestStreamArn"]
    streams_url = url.replace("://dynamodb.", "://streams.dynamodb.")
    streams = await clients.enter_async_context(session.client("dynamodbstreams", endpoint_url=streams_url))
    on_failure = folder.queue(mapping.on_failure or "discarded")
    pool = pools[mapping.function]
    return StreamPump(
        streams, arn, mapping, pool.invoke, on_failure, services.poll_seconds, pool.max_concurrency
    )  # fmt: skip


async def _queue(
    client: SQSClient, mapping: QueueMapping, pools: Mapping[str, FunctionPool], pollers: int
) -> QueuePump:
    found = await client.get_queue_url(QueueName=mapping.queue)
    return QueuePump(client, found["QueueUrl"], mapping, pools[mapping.function].invoke, pollers)
