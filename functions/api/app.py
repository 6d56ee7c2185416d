"""Builds the FastAPI application from every feature's routes."""

from dataclasses import dataclass
from datetime import timedelta

from aws_lambda_powertools import Logger
from fastapi import APIRouter, FastAPI

from domain.blobs.store import BlobStore
from domain.durable.listing import StepListing, StepListService
from domain.durable.repository import StepRepository
from domain.durable.signalling import SignalService
from domain.files.repository import FileRepository
from domain.files.service import FileService
from domain.jobs.catalogue import Catalogue
from domain.jobs.disclosure import Disclosure
from domain.jobs.documents import Documents
from domain.jobs.failed_jobs import FailedJobService
from domain.jobs.listing import JobListing, JobListService
from domain.jobs.repository import JobRepository
from domain.jobs.service import JobService
from domain.jobs.submitting import SubmissionService
from domain.jobs.why import WhyService
from domain.lanes.lanes import Lanes
from domain.lanes.repository import LaneRepository
from domain.lanes.service import LaneService
from domain.ports import Clock, NewId
from domain.schedules.repository import ScheduleListing, ScheduleRepository
from domain.schedules.service import ScheduleService
from domain.schedules.tick_queue import TickQueue
from domain.users.identity import IdentityService
from domain.users.principals import PrincipalService
from domain.users.repository import UserListing, UserRepository
from domain.users.service import UserService
from domain.webhooks.repository import EndpointRepository, SignerRepository
from domain.webhooks.service import WebhookService
from domain.webhooks.signing import NewSecret
from functions.api.documentation.routes import documentation_routes
from functions.api.failed_jobs.routes import failed_job_routes
from functions.api.files.routes import file_routes
from functions.api.health.routes import health_routes
from functions.api.http.errors import add_error_handlers
from functions.api.http.head import HeadAsGet
from functions.api.http.identity import Identify, identifier
from functions.api.http.openapi import VERSION, openapi_document
from functions.api.http.request_context import RequestContext
from functions.api.job_types.routes import job_type_routes
from functions.api.jobs.routes import job_routes
from functions.api.jobs.waiting import LONGEST_WAIT
from functions.api.lanes.routes import lane_routes, why_routes
from functions.api.schedules.routes import schedule_routes
from functions.api.steps.routes import step_routes
from functions.api.users.principal_routes import principal_routes
from functions.api.users.routes import user_routes
from functions.api.webhooks.actions import webhook_actions
from functions.api.webhooks.routes import webhook_routes
from functions.runtime import new_key_secret


@dataclass(frozen=True)
class Large:
    """What large documents and files need."""

    blobs: BlobStore
    files: FileRepository
    file_lifetime: timedelta


@dataclass(frozen=True)
class Remembering:
    """What steps and signals need."""

    steps: StepRepository
    listing: StepListing


@dataclass(frozen=True)
class Scheduling:
    """What schedules need."""

    schedules: ScheduleRepository
    listing: ScheduleListing
    queue: TickQueue
    per_owner: int
    """How many one user may have."""


@dataclass(frozen=True)
class Webhooks:
    """What webhooks need."""

    endpoints: EndpointRepository
    signers: SignerRepository
    new_secret: NewSecret


def create_app(
    jobs: JobRepository,
    listing: JobListing,
    users: UserRepository,
    catalogue: Catalogue,
    clock: Clock,
    new_id: NewId,
    logger: Logger,
    local_email: str | None = None,
    trust_unverified_email: bool = False,
    longest_wait: timedelta = LONGEST_WAIT,
    large: Large | None = None,
    lanes: Lanes | None = None,
    lane_store: LaneRepository | None = None,
    scheduling: Scheduling | None = None,
    user_lists: UserListing | None = None,
    webhooks: Webhooks | None = None,
    remembering: Remembering | None = None,
) -> FastAPI:
    """Create the API on the given repositories.

    `local_email` identifies every caller under `sam local`, which has no authorizer; `trust_unverified_email` accepts
    tokens without `email_verified`; `longest_wait` limits `Prefer: wait`, and 0 disables it. Without `large`
    the documents of jobs stay in their items, and there are no files; without `scheduling`, no schedules; without
    `user_lists`, users are found by address alone; without `webhooks`, nobody is told.
    """
    user_service = UserService(users, clock, new_id)
    identify = identifier(IdentityService(users, clock, new_id), local_email, trust_unverified_email)
    disclosure = Disclosure(catalogue)
    documents = Documents(large.blobs if large else None)
    files = FileService(large.files, large.blobs, clock, new_id, large.file_lifetime) if large else None
    lists = JobListService(listing, clock)
    endpoints = _endpoints(webhooks, jobs, clock, new_id) if webhooks else None
    job_service = JobService(jobs, catalogue, clock, lanes)
    lane_service = LaneService(lane_store, lanes) if lanes and lane_store else None
    why = WhyService(jobs, lane_service, catalogue, clock, lanes.owner_limit if lanes else 0)
    submissions = SubmissionService(
        jobs, catalogue, clock, new_id, documents, files, lanes, webhooks.signers if webhooks else None
    )
    schedules = _schedules(scheduling, submissions, users, clock, new_id) if scheduling else None
    app = FastAPI(
        title="Headrace",
        version=VERSION,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere.
        redoc_url=None,
        redirect_slashes=False,  # A redirect would name the scheme and host behind the gateway.
        generate_unique_id_function=lambda route: route.name,
    )
    routers = (
        job_routes(
            submissions,
            job_service,
            lists,
            documents,
            disclosure,
            identify,
            longest_wait,
        ),
        failed_job_routes(FailedJobService(jobs, listing, catalogue, clock, lanes), disclosure, identify),
        why_routes(job_service, why, identify),
        *((lane_routes(lane_service, identify),) if lane_service else ()),
        *(
            (_steps(remembering, jobs, job_service, documents, disclosure, catalogue, clock, new_id, identify),)
            if remembering
            else ()
        ),
        job_type_routes(catalogue, identify),
        user_routes(user_service, user_lists, clock, identify),
        principal_routes(PrincipalService(users, clock, new_id, new_key_secret), clock, identify),
        *((file_routes(files, identify),) if files else ()),
        *((schedule_routes(schedules, catalogue, disclosure, identify),) if schedules else ()),
        *(
            (webhook_routes(endpoints, identify), webhook_actions(endpoints, lists, disclosure, identify))
            if endpoints
            else ()
        ),
        health_routes(jobs, clock),
        documentation_routes(lambda: openapi_document(app)),
    )
    for router in routers:
        app.include_router(router)
    add_error_handlers(app, routers)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestContext, logger=logger)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _steps(
    parts: Remembering,
    jobs: JobRepository,
    service: JobService,
    documents: Documents,
    disclosure: Disclosure,
    catalogue: Catalogue,
    clock: Clock,
    new_id: NewId,
    identify: Identify,
) -> APIRouter:
    signals = SignalService(jobs, service, parts.steps, documents, catalogue, clock, new_id)
    return step_routes(StepListService(service, parts.listing, clock), signals, disclosure, identify)


def _schedules(
    parts: Scheduling, submissions: SubmissionService, users: UserRepository, clock: Clock, new_id: NewId
) -> ScheduleService:
    return ScheduleService(
        parts.schedules, parts.listing, submissions, users, parts.queue, clock, new_id, parts.per_owner
    )


def _endpoints(webhooks: Webhooks, jobs: JobRepository, clock: Clock, new_id: NewId) -> WebhookService:
    return WebhookService(webhooks.endpoints, webhooks.signers, jobs, clock, new_id, webhooks.new_secret)
