"""Gives a function its parts: settings, logger, loop and client, repositories, job types.

A handler is thin: `handler = build(compose(os.environ))`, where its own `build` takes what it needs of the parts. What
only one function needs is made by a function of its own below, which imports it then: the worker's cold start does not
pay for the API's repositories.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from functools import cache, partial
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from domain.durable.step import TABLE as STEPS
from domain.lanes.lane import TABLE as LANES
from domain.lanes.lanes import Lanes
from functions.job_types import load_job_types
from functions.runtime import Lazy, LazyClient, Runtime, new_id, new_random, now
from functions.settings import read_secret_settings, read_settings
from headrace.authoring.job_type import WORKER
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.repositories.lane_repository import DynamoLaneRepository

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from domain.blobs.store import BlobStore
    from domain.children.cancelling import ChildCanceller
    from domain.children.recording import ChildRecorder
    from domain.durable.attempts import JobSteps
    from domain.files.attempts import JobFiles
    from domain.jobs.catalogue import Catalogue
    from domain.jobs.dispatch import Dispatcher
    from domain.jobs.documents import Documents
    from domain.jobs.job import Job
    from domain.results import StorageUnavailable
    from domain.schedules.ticking import Ticker
    from domain.secrets.store import SecretSource, SecretStore
    from domain.webhooks.delivering import DeliveryService
    from functions.settings import ApiSettings, BlobSettings, Settings, WebhookSettings, WorkerSettings
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


@dataclasses.dataclass(frozen=True)
class Parts:
    """What every function is made of, for the life of one execution environment."""

    environment: Mapping[str, str]
    """Where a function reads its own settings."""
    settings: Settings
    logger: Logger
    runtime: Runtime
    jobs: DynamoJobRepository
    job_types: Catalogue

    @property
    def lanes(self) -> Lanes:
        """What brings jobs through their lanes."""
        table = lane_repository(self.settings, self.runtime.client)
        return Lanes(self.jobs, table, self.job_types, now, new_random, self.settings.owner_limit)


def compose(environment: Mapping[str, str]) -> Parts:
    """The parts of the function that has this environment.

    Raises `MissingSetting` or `InvalidJobTypes`, whose messages say in one sentence why the function cannot start.
    """
    settings = read_settings(environment)
    job_types = load_job_types(settings.job_types)
    runtime = Runtime(settings.endpoint_url)
    jobs = job_repository(settings, runtime.client)
    return Parts(environment, settings, held_to(Logger(), settings.log_level), runtime, jobs, job_types)


def job_repository(settings: Settings, client: LazyClient) -> DynamoJobRepository:
    """The job repository of these settings."""
    tables = {LANES: settings.lanes_table, STEPS: settings.steps_table}
    return DynamoJobRepository(client, settings.jobs_table, new_id, tables)


def lane_repository(settings: Settings, client: LazyClient) -> DynamoLaneRepository:
    """The lanes of these settings."""
    return DynamoLaneRepository(client, settings.lanes_table, settings.jobs_table)


def step_repository(settings: Settings, client: LazyClient) -> DynamoStepRepository:
    """What jobs remember; for those that run jobs, and the API."""
    from persistence.dynamodb.repositories.step_repository import DynamoStepRepository

    return DynamoStepRepository(client, settings.steps_table, settings.jobs_table)


def step_listing(settings: Settings, cursor_key: str, client: LazyClient) -> SealedStepListing:
    """The lists of what jobs remember; for the API alone, which has the key for cursors."""
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.repositories.step_listing import SealedStepListing

    return SealedStepListing(step_repository(settings, client), CursorCodec(cursor_key.encode()))


def job_steps(parts: Parts, documents: Documents) -> Callable[[], JobSteps]:
    """Gives what remembers the steps of handlers, once one of them asks for it: most workers never load it."""

    @cache
    def made() -> JobSteps:
        from domain.children.stores import ChildStores
        from domain.durable.attempts import JobSteps

        settings, client = parts.settings, parts.runtime.client
        reader, counts = child_reader(settings, client), count_repository(settings, client)
        children = ChildStores(parts.jobs, reader, counts, documents, new_id, parts.lanes)
        return JobSteps(step_repository(settings, client), documents, now, new_id, children)

    return made


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


def child_recorder(parts: Parts) -> ChildRecorder:
    """Counts children that have ended; for the recorder."""
    from domain.children.counting import ChildCounter
    from domain.children.recording import ChildRecorder
    from domain.children.waking import Waker

    settings, client = parts.settings, parts.runtime.client
    counter = ChildCounter(count_repository(settings, client), Waker(parts.jobs, parts.job_types, now), now)
    return ChildRecorder(counter, step_repository(settings, client), parts.jobs, now)


def child_canceller(parts: Parts) -> Callable[[], ChildCanceller]:
    """Gives what cancels children, once a parent was cancelled: most runners never load it."""

    @cache
    def made() -> ChildCanceller:
        from domain.children.cancelling import ChildCanceller
        from domain.jobs.service import JobService

        settings, client = parts.settings, parts.runtime.client
        service = JobService(parts.jobs, parts.job_types, now, parts.lanes)
        steps = step_repository(settings, client)
        return ChildCanceller(parts.jobs, service, child_reader(settings, client), steps, now)

    return made


def forgetting(parts: Parts, documents: Documents) -> Callable[[Job], Awaitable[StorageUnavailable | None]]:
    """Deletes what a deleted job left behind: blobs, and what it remembered."""

    async def forget(job: Job) -> StorageUnavailable | None:
        failed = await documents.remove(job)
        if failed is not None or not job.steps:
            return failed
        from domain.durable.forgetting import forget

        settings, client = parts.settings, parts.runtime.client
        return await forget(job, step_repository(settings, client), count_repository(settings, client), documents)

    return forget


def job_listing(settings: Settings, cursor_key: str, client: LazyClient) -> DynamoJobListing:
    """The lists of jobs; for the API alone, which has the key for cursors."""
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.repositories.job_listing import DynamoJobListing

    cursors = CursorCodec(cursor_key.encode())
    return DynamoJobListing(client, settings.jobs_table, cursors, new_random, asyncio.sleep, time.monotonic)


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


def tick_queue(queue_url: str, queues_url: str | None = None) -> SqsTickQueue:
    """The wake queue, for ticks of schedules; `queues_url` as in `Settings`."""
    from persistence.sqs.tick_queue import SqsTickQueue
    from persistence.sqs.wake_queue import open_queue_client

    return SqsTickQueue(Lazy(partial(open_queue_client, queues_url)), queue_url)


def ticker(parts: Parts, settings: WorkerSettings, blobs: BlobStore) -> Callable[[], Ticker]:
    """Gives what makes the jobs of schedules, once a tick comes: most workers never load it."""

    @cache
    def made() -> Ticker:
        from domain.files.service import FileService
        from domain.jobs.documents import Documents
        from domain.jobs.service import JobService
        from domain.jobs.submitting import SubmissionService
        from domain.schedules.ticking import Ticker
        from functions.settings import read_blob_settings
        from persistence.dynamodb.repositories.schedule_repository import COMPANION_TABLE
        from persistence.dynamodb.repositories.user_repository import DynamoUserRepository

        client, blob_settings = parts.runtime.client, read_blob_settings(parts.environment)
        # A tick's job is committed with its schedule.
        tables = {COMPANION_TABLE: settings.schedules_table, LANES: parts.settings.lanes_table}
        jobs = DynamoJobRepository(client, parts.settings.jobs_table, new_id, tables)
        files = FileService(file_repository(blob_settings, client), blobs, now, new_id, blob_settings.file_lifetime)
        return Ticker(
            schedule_repository(settings.schedules_table, client),
            jobs,
            SubmissionService(jobs, parts.job_types, now, new_id, Documents(blobs), files, parts.lanes),
            JobService(jobs, parts.job_types, now, parts.lanes),
            DynamoUserRepository(client, settings.users_table, "", "", new_id),  # owners are only read
            tick_queue(settings.wake_queue_url, parts.settings.queues_url),
            now,
        )

    return made


def blob_store(settings: BlobSettings, runtime: Runtime) -> S3BlobStore:
    """The blobs of these settings; for the API and the worker."""
    from persistence.s3.blob_store import S3BlobStore

    return S3BlobStore(runtime.s3(settings.endpoint_url), settings.bucket)


def file_repository(settings: BlobSettings, client: LazyClient) -> DynamoFileRepository:
    """The files' descriptions."""
    from persistence.dynamodb.repositories.file_repository import DynamoFileRepository

    return DynamoFileRepository(client, settings.files_table)


def job_files(settings: BlobSettings, blobs: BlobStore, client: LazyClient) -> Callable[[], JobFiles]:
    """Gives what handlers' files need, once one of them asks for it: most workers never load it."""

    @cache
    def made() -> JobFiles:
        from domain.files.attempts import JobFiles

        return JobFiles(file_repository(settings, client), blobs, now, new_id, settings.file_lifetime)

    return made


def secrets(parts: Parts) -> SecretSource:
    """Gives what reads secrets, once a payload names one: most workers never load it."""
    settings = read_secret_settings(parts.environment)

    @cache
    def made() -> SecretStore:
        from persistence.secrets.aws import ParameterStore, SecretsManager, open_parameter_client, open_secret_client
        from persistence.secrets.cache import CachedSecrets
        from persistence.secrets.environment import EnvironmentSecrets, NoSecrets

        match settings.store:
            case "ParameterStore":
                return CachedSecrets(ParameterStore(Lazy(open_parameter_client), settings.prefix), time.monotonic)
            case "SecretsManager":
                return CachedSecrets(SecretsManager(Lazy(open_secret_client), settings.prefix), time.monotonic)
            case "environment":
                return EnvironmentSecrets(parts.environment)
            case "off":
                return NoSecrets()

    return made


def stream_positions(table: str, client: LazyClient) -> DynamoStreamPositions:
    """The workers' positions in the stream."""
    from persistence.dynamodb.repositories.stream_positions import DynamoStreamPositions

    return DynamoStreamPositions(client, table)


def wake_queue(queue_url: str) -> SqsWakeQueue:
    """The wake queue, with a client of its own; for those that send to it."""
    from persistence.sqs.wake_queue import SqsWakeQueue, open_queue_client

    return SqsWakeQueue(Lazy(open_queue_client), queue_url)


def dispatcher(parts: Parts, wake_queue_url: str = "") -> Dispatcher:
    """Sends jobs to the queues of their runners, all by one client, made when it is needed.

    With the wake queue's URL, messages for jobs of the worker go there.
    """
    from domain.jobs.dispatch import Dispatcher
    from persistence.sqs.wake_queue import SqsWakeQueue, open_queue_client

    client = Lazy(partial(open_queue_client, parts.settings.queues_url))
    urls = dict(parts.settings.runners)
    urls = {**urls, WORKER: wake_queue_url} if wake_queue_url else urls
    return Dispatcher(parts.job_types, {name: SqsWakeQueue(client, url) for name, url in urls.items()}, now)


def endpoint_repository(table: str, client: LazyClient) -> DynamoEndpointRepository:
    """The webhook endpoints."""
    from persistence.dynamodb.repositories.webhook_repository import DynamoEndpointRepository

    return DynamoEndpointRepository(client, table, new_id)


def signer_repository(table: str, client: LazyClient) -> DynamoSignerRepository:
    """The secrets that webhooks are signed with; for the API and those that run jobs."""
    from persistence.dynamodb.repositories.webhook_repository import DynamoSignerRepository

    return DynamoSignerRepository(client, table, new_id)


def delivery_service(settings: WebhookSettings, client: LazyClient) -> Callable[[], DeliveryService]:
    """Gives what a delivery needs, once there is one: most workers never load it."""

    @cache
    def made() -> DeliveryService:
        from domain.webhooks.delivering import DeliveryService

        endpoints = endpoint_repository(settings.webhooks_table, client)
        return DeliveryService(endpoints, signer_repository(settings.webhook_secrets_table, client), now)

    return made


def stats_repository(table: str, client: LazyClient) -> DynamoStatsRepository:
    """The statistics; for the recorder, which counts, and the API, which reads."""
    from persistence.dynamodb.repositories.stats_repository import DynamoStatsRepository

    return DynamoStatsRepository(client, table)


def event_bus(bus: str) -> EventBridgeBus:
    """The event bus of this name or ARN; for the recorder."""
    from persistence.eventbridge.event_bus import EventBridgeBus, open_events_client

    return EventBridgeBus(Lazy(open_events_client), bus)


def usage_repository(settings: Settings, client: LazyClient) -> DynamoUsageRepository:
    """What owners have used of their quotas; for the API alone."""
    from persistence.dynamodb.repositories.usage_repository import DynamoUsageRepository

    return DynamoUsageRepository(client, settings.jobs_table, settings.lanes_table)


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


def held_to(logger: Logger, level: str) -> Logger:
    """The same logger, which logs from `level` on: DEBUG, INFO, WARNING or ERROR.

    Powertools prefers the level of Lambda's own filter to its variable. The filter may not be set above INFO: it would
    drop the metrics, which are lines without a level (template.yaml, LoggingConfig).
    """
    logging.getLogger(logger.name).setLevel(level)
    return logger
