"""Makes the adapters of `persistence/` by a function's settings: repositories, listings, S3, queues, the event bus.

What only some functions need is imported when it is made: the worker's cold start does not pay for the API's
repositories.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from domain.durable.step import TABLE as STEPS
from domain.lanes.lane import TABLE as LANES
from functions.runtime import Lazy, LazyClient, Runtime, new_id, new_random
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.repositories.lane_repository import DynamoLaneRepository

if TYPE_CHECKING:
    from functions.settings import ApiSettings, BlobSettings, Settings
    from persistence.dynamodb.repositories.child_listing import SealedChildListing
    from persistence.dynamodb.repositories.child_repository import DynamoChildReader, DynamoCountRepository
    from persistence.dynamodb.repositories.file_repository import DynamoFileRepository
    from persistence.dynamodb.repositories.job_listing import DynamoJobListing
    from persistence.dynamodb.repositories.schedule_listing import DynamoScheduleListing
    from persistence.dynamodb.repositories.schedule_repository import DynamoScheduleRepository
    from persistence.dynamodb.repositories.stats_repository import DynamoStatsRepository
    from persistence.dynamodb.repositories.step_listing import SealedStepListing
    from persistence.dynamodb.repositories.step_repository import DynamoStepRepository
    from persistence.dynamodb.repositories.stream_positions import DynamoStreamPositions
    from persistence.dynamodb.repositories.usage_repository import DynamoUsageRepository
    from persistence.dynamodb.repositories.user_listing import DynamoUserListing
    from persistence.dynamodb.repositories.user_repository import DynamoUserRepository
    from persistence.dynamodb.repositories.webhook_repository import DynamoEndpointRepository, DynamoSignerRepository
    from persistence.eventbridge.event_bus import EventBridgeBus
    from persistence.s3.blob_store import S3BlobStore
    from persistence.sqs.tick_queue import SqsTickQueue
    from persistence.sqs.wake_queue import SqsWakeQueue


def job_repository(settings: Settings, client: LazyClient) -> DynamoJobRepository:
    """The job repository of these settings."""
    tables = {LANES: settings.lanes_table, STEPS: settings.steps_table}
    return DynamoJobRepository(client, settings.jobs_table, new_id, tables)


def job_listing(settings: Settings, cursor_key: str, client: LazyClient) -> DynamoJobListing:
    """The lists of jobs; for the API alone, which has the key for cursors."""
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.repositories.job_listing import DynamoJobListing

    cursors = CursorCodec(cursor_key.encode())
    return DynamoJobListing(client, settings.jobs_table, cursors, new_random, asyncio.sleep, time.monotonic)


def lane_repository(settings: Settings, client: LazyClient) -> DynamoLaneRepository:
    """The lanes of these settings."""
    return DynamoLaneRepository(client, settings.lanes_table, settings.jobs_table)


def usage_repository(settings: Settings, client: LazyClient) -> DynamoUsageRepository:
    """What owners have used of their quotas; for the API alone."""
    from persistence.dynamodb.repositories.usage_repository import DynamoUsageRepository

    return DynamoUsageRepository(client, settings.jobs_table, settings.lanes_table)


def step_repository(settings: Settings, client: LazyClient) -> DynamoStepRepository:
    """What jobs remember; for those that run jobs, and the API."""
    from persistence.dynamodb.repositories.step_repository import DynamoStepRepository

    return DynamoStepRepository(client, settings.steps_table, settings.jobs_table)


def step_listing(settings: Settings, cursor_key: str, client: LazyClient) -> SealedStepListing:
    """The lists of what jobs remember; for the API alone, which has the key for cursors."""
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.repositories.step_listing import SealedStepListing

    return SealedStepListing(step_repository(settings, client), CursorCodec(cursor_key.encode()))


def child_reader(settings: Settings, client: LazyClient) -> DynamoChildReader:
    """Reads children; for those that run jobs, and the API."""
    from persistence.dynamodb.repositories.child_repository import DynamoChildReader

    return DynamoChildReader(client, settings.jobs_table)


def count_repository(settings: Settings, client: LazyClient) -> DynamoCountRepository:
    """Which children have ended; for the recorder, those that run jobs, and the API."""
    from persistence.dynamodb.repositories.child_repository import DynamoCountRepository

    return DynamoCountRepository(client, settings.steps_table)


def child_listing(settings: Settings, cursor_key: str, client: LazyClient) -> SealedChildListing:
    """The lists of children; for the API alone, which has the key for cursors."""
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.repositories.child_listing import SealedChildListing

    return SealedChildListing(child_reader(settings, client), CursorCodec(cursor_key.encode()))


def schedule_repository(table: str, client: LazyClient) -> DynamoScheduleRepository:
    """The schedules; for the API, the worker and the sweeper."""
    from persistence.dynamodb.repositories.schedule_repository import DynamoScheduleRepository

    return DynamoScheduleRepository(client, table, new_id)


def schedule_listing(table: str, cursor_key: str, client: LazyClient) -> DynamoScheduleListing:
    """The lists of schedules; for the API alone, which has the key for cursors."""
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.repositories.schedule_listing import DynamoScheduleListing

    cursors = CursorCodec(cursor_key.encode())
    return DynamoScheduleListing(client, table, cursors, new_random, asyncio.sleep, time.monotonic)


def file_repository(settings: BlobSettings, client: LazyClient) -> DynamoFileRepository:
    """The files' descriptions."""
    from persistence.dynamodb.repositories.file_repository import DynamoFileRepository

    return DynamoFileRepository(client, settings.files_table)


def blob_store(settings: BlobSettings, runtime: Runtime) -> S3BlobStore:
    """The blobs of these settings; for the API and the worker."""
    from persistence.s3.blob_store import S3BlobStore

    return S3BlobStore(runtime.s3(settings.endpoint_url), settings.bucket)


def stream_positions(table: str, client: LazyClient) -> DynamoStreamPositions:
    """The workers' positions in the stream."""
    from persistence.dynamodb.repositories.stream_positions import DynamoStreamPositions

    return DynamoStreamPositions(client, table)


def stats_repository(table: str, client: LazyClient) -> DynamoStatsRepository:
    """The statistics; for the recorder, which counts, and the API, which reads."""
    from persistence.dynamodb.repositories.stats_repository import DynamoStatsRepository

    return DynamoStatsRepository(client, table)


def endpoint_repository(table: str, client: LazyClient) -> DynamoEndpointRepository:
    """The webhook endpoints."""
    from persistence.dynamodb.repositories.webhook_repository import DynamoEndpointRepository

    return DynamoEndpointRepository(client, table, new_id)


def signer_repository(table: str, client: LazyClient) -> DynamoSignerRepository:
    """The secrets that webhooks are signed with; for the API and those that run jobs."""
    from persistence.dynamodb.repositories.webhook_repository import DynamoSignerRepository

    return DynamoSignerRepository(client, table, new_id)


def user_repository(settings: ApiSettings, client: LazyClient) -> DynamoUserRepository:
    """The user repository of these settings; for the API alone."""
    from persistence.dynamodb.repositories.user_repository import DynamoUserRepository

    tables = (settings.users_table, settings.user_emails_table, settings.principals_table)
    return DynamoUserRepository(client, *tables, new_id)


def user_listing(settings: ApiSettings, client: LazyClient) -> DynamoUserListing:
    """The lists of users; for the API alone."""
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.repositories.user_listing import DynamoUserListing

    return DynamoUserListing(client, settings.users_table, CursorCodec(settings.cursor_key.encode()))


def wake_queue(queue_url: str) -> SqsWakeQueue:
    """The wake queue, with a client of its own; for those that send to it."""
    from persistence.sqs.wake_queue import SqsWakeQueue, open_queue_client

    return SqsWakeQueue(Lazy(open_queue_client), queue_url)


def tick_queue(queue_url: str, queues_url: str | None = None) -> SqsTickQueue:
    """The wake queue, for ticks of schedules; `queues_url` as in `Settings`."""
    from persistence.sqs.tick_queue import SqsTickQueue
    from persistence.sqs.wake_queue import open_queue_client

    return SqsTickQueue(Lazy(partial(open_queue_client, queues_url)), queue_url)


def event_bus(bus: str) -> EventBridgeBus:
    """The event bus of this name or ARN; for the recorder."""
    from persistence.eventbridge.event_bus import EventBridgeBus, open_events_client

    return EventBridgeBus(Lazy(open_events_client), bus)
