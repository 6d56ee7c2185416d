"""Builds the FastAPI application from its features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from domain.jobs.disclosure import Disclosure
from domain.jobs.documents import Documents
from domain.jobs.listing import JobListService
from domain.jobs.service import JobService
from domain.jobs.submitting import SubmissionService
from domain.users.identity import IdentityService
from functions.api.features import counts_of, features_of, files_of
from functions.api.http.errors import add_error_handlers
from functions.api.http.features import Features, OnDemand
from functions.api.http.head import HeadAsGet
from functions.api.http.identity import identifier
from functions.api.http.openapi import VERSION, openapi_document
from functions.api.http.request_context import RequestContext
from functions.api.jobs.routes import job_routes
from functions.api.jobs.waiting import LONGEST_WAIT
from functions.api.parts import Large, Parts, Remembering, Scheduling, Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from aws_lambda_powertools import Logger
    from pydantic import JsonValue

    from domain.jobs.catalogue import Catalogue
    from domain.jobs.listing import JobListing
    from domain.jobs.repository import JobRepository
    from domain.lanes.lanes import Lanes
    from domain.lanes.repository import LaneRepository
    from domain.ports import Clock, NewId
    from domain.quotas.quotas import Quotas
    from domain.stats.repository import StatsRepository
    from domain.users.repository import UserListing, UserRepository
    from functions.settings import PageSettings


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
    scheduling: Callable[[], Scheduling] | None = None,
    user_lists: UserListing | None = None,
    webhooks: Webhooks | None = None,
    stats: Callable[[], StatsRepository] | None = None,
    quotas: Quotas | None = None,
    page: PageSettings | None = None,
    remembering: Callable[[], Remembering] | None = None,
) -> FastAPI:
    """Create the API on the given repositories.

    `local_email` identifies every caller under `sam local`, which has no authorizer; `trust_unverified_email` accepts
    tokens without `email_verified`; `longest_wait` limits `Prefer: wait`, and 0 disables it. Without `large`
    the documents of jobs stay in their items, and there are no files; without `scheduling`, no schedules; without
    `user_lists`, users are found by address alone; without `webhooks`, nobody is told; without `stats`,
    what ends is not counted; without `quotas`, nobody is limited; without `page`, nobody can sign in to the page;
    without `remembering`, no steps are shown, and no signals taken.
    """
    identify = identifier(IdentityService(users, clock, new_id), local_email, trust_unverified_email)
    documents = Documents(large.blobs if large else None)
    app = FastAPI(
        title="Headrace",
        version=VERSION,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere.
        redoc_url=None,
        redirect_slashes=False,  # A redirect would name the scheme and host behind the gateway.
        generate_unique_id_function=lambda route: route.name,
    )
    parts = Parts(
        app=app,
        jobs=jobs,
        listing=listing,
        users=users,
        catalogue=catalogue,
        clock=clock,
        new_id=new_id,
        lanes=lanes,
        lane_store=lane_store,
        identify=identify,
        documents=documents,
        disclosure=Disclosure(catalogue),
        lists=JobListService(listing, clock),
        job_service=JobService(jobs, catalogue, clock, lanes),
        submissions=SubmissionService(
            jobs, catalogue, clock, new_id, documents, files_of(large, clock, new_id), lanes,
            webhooks.signers if webhooks else None, quotas,
        ),
    )  # fmt: skip
    core = job_routes(
        parts.submissions,
        parts.job_service,
        parts.lists,
        documents,
        parts.disclosure,
        identify,
        counts_of(remembering),
        longest_wait,
    )
    features = Features(
        app, features_of(parts, core, large, scheduling, user_lists, webhooks, stats, page, remembering)
    )
    add_error_handlers(app, features)
    app.add_middleware(OnDemand, features=features)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestContext, logger=logger)

    def document() -> dict[str, JsonValue]:
        features.include()
        return openapi_document(app)

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way
    return app
