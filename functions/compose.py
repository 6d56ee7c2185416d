"""Gives a function its parts: settings, logger, loop and client, repositories, job types.

A handler is thin: `handler = build(compose(os.environ))`, where its own `build` takes what it needs of the parts. What
only some functions need is made by a function of its own below, which imports it then; what stands on tables, queues
and buckets is made in `adapters.py`.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from functools import cache, partial
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from domain.lanes.lane import TABLE as LANES
from domain.lanes.lanes import Lanes
from functions.adapters import (
    child_reader,
    count_repository,
    endpoint_repository,
    file_repository,
    job_repository,
    lane_repository,
    schedule_repository,
    signer_repository,
    step_repository,
    tick_queue,
)
from functions.job_types import load_job_types
from functions.runtime import Lazy, LazyClient, Runtime, new_id, new_random, now
from functions.settings import read_secret_settings, read_settings
from headrace.authoring.job_type import WORKER
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository

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
    from functions.settings import BlobSettings, Settings, WebhookSettings, WorkerSettings


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


def delivery_service(settings: WebhookSettings, client: LazyClient) -> Callable[[], DeliveryService]:
    """Gives what a delivery needs, once there is one: most workers never load it."""

    @cache
    def made() -> DeliveryService:
        from domain.webhooks.delivering import DeliveryService

        endpoints = endpoint_repository(settings.webhooks_table, client)
        return DeliveryService(endpoints, signer_repository(settings.webhook_secrets_table, client), now)

    return made


def held_to(logger: Logger, level: str) -> Logger:
    """The same logger, which logs from `level` on: DEBUG, INFO, WARNING or ERROR.

    Powertools prefers the level of Lambda's own filter to its variable. The filter may not be set above INFO: it would
    drop the metrics, which are lines without a level (template.yaml, LoggingConfig).
    """
    logging.getLogger(logger.name).setLevel(level)
    return logger
