"""The features of the API: a folder and a line of `features_of` for each. One is imported when a request needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.http.features import Feature
from functions.api.parts import Large, Parts, Remembering, Scheduling, Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import APIRouter

    from domain.children.overview import GroupCounts
    from domain.files.service import FileService
    from domain.jobs.job import Job
    from domain.lanes.service import LaneService
    from domain.ports import Clock, NewId
    from domain.results import StorageUnavailable
    from domain.stats.repository import StatsRepository
    from domain.users.repository import UserListing
    from functions.api.children.counts import CountsOf
    from functions.settings import PageSettings


def features_of(
    parts: Parts,
    core: APIRouter,
    large: Large | None,
    scheduling: Callable[[], Scheduling] | None,
    user_lists: UserListing | None,
    webhooks: Webhooks | None,
    stats: Callable[[], StatsRepository] | None,
    page: PageSettings | None,
    remembering: Callable[[], Remembering] | None,
) -> tuple[Feature, ...]:
    """In the order in which the OpenAPI document has them."""
    return (
        Feature(("/v1/jobs", "/v1/jobs/*"), lambda: (core,)),
        Feature(("/v1/failed-jobs*",), lambda: _failed_jobs(parts)),
        Feature(("/v1/jobs/cancel", "/v1/jobs/retry"), lambda: _bulk(parts)),
        Feature(("/v1/jobs/*/why",), lambda: _why(parts, counts_of(remembering))),
        Feature(("/v1/jobs/*/steps", "/v1/jobs/*/signals/*"), lambda: _steps(parts, remembering)),
        Feature(("/v1/jobs/*/children",), lambda: _children(parts, remembering)),
        Feature(("/v1/stats*", "/v1/jobs/*/cost"), lambda: _stats(parts, stats)),
        Feature(("/v1/lanes*",), lambda: _lanes(parts)),
        Feature(("/v1/job-types*",), lambda: _job_types(parts)),
        Feature(("/v1/users*",), lambda: _users(parts, user_lists)),
        Feature(("/v1/files*",), lambda: _file_routes(parts, large)),
        Feature(("/v1/schedules*",), lambda: _schedules(parts, scheduling)),
        Feature(("/v1/webhooks*", "/v1/notify-secret"), lambda: _webhooks(parts, webhooks)),
        Feature(("/healthz",), lambda: _health(parts)),
        Feature(("/", "/docs", "/openapi.json"), lambda: _documentation(parts)),
        Feature(("/ui", "/ui/*"), lambda: _page(page)),
    )


def files_of(large: Large | None, clock: Clock, new_id: NewId) -> FileService | None:
    """What keeps files; None without a place for them."""
    if large is None:
        return None
    from domain.files.service import FileService

    return FileService(large.files, large.blobs, clock, new_id, large.file_lifetime)


def counts_of(remembering: Callable[[], Remembering] | None) -> CountsOf:
    """What counts the children of a job; none without what is remembered."""

    async def counted(job: Job) -> tuple[GroupCounts, ...] | StorageUnavailable:
        if remembering is None:
            return ()
        from domain.children.overview import Overview

        given = remembering()
        return await Overview(given.steps, given.counts).of(job)

    return counted


def _failed_jobs(parts: Parts) -> tuple[APIRouter, ...]:
    from domain.jobs.failed_jobs import FailedJobService
    from functions.api.failed_jobs.routes import failed_job_routes

    failed = FailedJobService(parts.jobs, parts.listing, parts.catalogue, parts.clock, parts.lanes)
    return (failed_job_routes(failed, parts.disclosure, parts.identify),)


def _lane_service(parts: Parts) -> LaneService | None:
    from domain.lanes.service import LaneService

    return LaneService(parts.lane_store, parts.lanes) if parts.lanes and parts.lane_store else None


def _bulk(parts: Parts) -> tuple[APIRouter, ...]:
    from domain.jobs.bulk import BulkService
    from functions.api.jobs.bulk_routes import bulk_routes

    return (bulk_routes(BulkService(parts.lists, parts.job_service, parts.clock), parts.identify),)


def _why(parts: Parts, counts: CountsOf) -> tuple[APIRouter, ...]:
    from domain.jobs.why import WhyService
    from functions.api.lanes.routes import why_routes

    owner_limit = parts.lanes.owner_limit if parts.lanes else 0
    why = WhyService(parts.jobs, _lane_service(parts), parts.catalogue, parts.clock, owner_limit, counts)
    return (why_routes(parts.job_service, why, parts.identify),)


def _steps(parts: Parts, remembering: Callable[[], Remembering] | None) -> tuple[APIRouter, ...]:
    if remembering is None:
        return ()
    from domain.durable.listing import StepListService
    from domain.durable.signalling import SignalService
    from functions.api.steps.routes import step_routes

    given = remembering()
    signals = SignalService(
        parts.jobs, parts.job_service, given.steps, parts.documents, parts.catalogue, parts.clock, parts.new_id
    )
    steps = StepListService(parts.job_service, given.listing, parts.clock)
    return (step_routes(steps, signals, parts.disclosure, parts.identify),)


def _children(parts: Parts, remembering: Callable[[], Remembering] | None) -> tuple[APIRouter, ...]:
    if remembering is None:
        return ()
    from domain.children.listing import ChildListService
    from functions.api.children.routes import child_routes

    given = remembering()
    children = ChildListService(parts.job_service, given.steps, given.children, parts.clock)
    return (child_routes(children, parts.disclosure, parts.identify),)


def _stats(parts: Parts, stats: Callable[[], StatsRepository] | None) -> tuple[APIRouter, ...]:
    from domain.stats.service import StatsService
    from functions.api.stats.routes import stats_routes

    service = StatsService(parts.jobs, stats() if stats else None, parts.clock)
    return (stats_routes(service, parts.job_service, parts.clock, parts.identify),)


def _lanes(parts: Parts) -> tuple[APIRouter, ...]:
    from functions.api.lanes.routes import lane_routes

    service = _lane_service(parts)
    return (lane_routes(service, parts.identify),) if service else ()


def _job_types(parts: Parts) -> tuple[APIRouter, ...]:
    from functions.api.job_types.routes import job_type_routes

    return (job_type_routes(parts.catalogue, parts.identify),)


def _users(parts: Parts, lists: UserListing | None) -> tuple[APIRouter, ...]:
    from domain.users.principals import PrincipalService
    from domain.users.service import UserService
    from functions.api.users.principal_routes import principal_routes
    from functions.api.users.routes import user_routes
    from functions.runtime import new_key_secret

    users = UserService(parts.users, parts.clock, parts.new_id)
    principals = PrincipalService(parts.users, parts.clock, parts.new_id, new_key_secret)
    return (
        user_routes(users, lists, parts.clock, parts.identify),
        principal_routes(principals, parts.clock, parts.identify),
    )


def _file_routes(parts: Parts, large: Large | None) -> tuple[APIRouter, ...]:
    from functions.api.files.routes import file_routes

    files = files_of(large, parts.clock, parts.new_id)
    return (file_routes(files, parts.identify),) if files else ()


def _schedules(parts: Parts, scheduling: Callable[[], Scheduling] | None) -> tuple[APIRouter, ...]:
    if scheduling is None:
        return ()
    from domain.schedules.service import ScheduleService
    from functions.api.schedules.routes import schedule_routes

    given = scheduling()
    service = ScheduleService(
        given.schedules, given.listing, parts.submissions, parts.users, given.queue,
        parts.clock, parts.new_id, given.per_owner,
    )  # fmt: skip
    return (schedule_routes(service, parts.catalogue, parts.disclosure, parts.identify),)


def _webhooks(parts: Parts, webhooks: Webhooks | None) -> tuple[APIRouter, ...]:
    if webhooks is None:
        return ()
    from domain.webhooks.service import WebhookService
    from functions.api.webhooks.actions import webhook_actions
    from functions.api.webhooks.routes import webhook_routes

    endpoints = WebhookService(
        webhooks.endpoints, webhooks.signers, parts.jobs, parts.clock, parts.new_id, webhooks.new_secret
    )
    return (
        webhook_routes(endpoints, parts.identify),
        webhook_actions(endpoints, parts.lists, parts.disclosure, parts.identify),
    )


def _health(parts: Parts) -> tuple[APIRouter, ...]:
    from functions.api.health.routes import health_routes

    return (health_routes(parts.jobs, parts.clock),)


def _documentation(parts: Parts) -> tuple[APIRouter, ...]:
    from functions.api.documentation.routes import documentation_routes

    return (documentation_routes(parts.app.openapi),)


def _page(settings: PageSettings | None) -> tuple[APIRouter, ...]:
    from functions.api.ui.routes import page_routes
    from functions.settings import PageSettings

    return (page_routes(settings or PageSettings(issuer="", client_id="", origins=())),)
