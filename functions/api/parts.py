"""What the features of the API are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI

from domain.jobs.disclosure import Disclosure
from domain.jobs.documents import Documents
from domain.jobs.listing import JobListService
from domain.jobs.service import JobService
from domain.jobs.submitting import SubmissionService

if TYPE_CHECKING:
    from datetime import timedelta

    from domain.blobs.store import BlobStore
    from domain.children.listing import ChildListing
    from domain.children.repository import CountRepository
    from domain.durable.listing import StepListing
    from domain.durable.repository import StepRepository
    from domain.files.repository import FileRepository
    from domain.jobs.catalogue import Catalogue
    from domain.jobs.listing import JobListing
    from domain.jobs.repository import JobRepository
    from domain.lanes.lanes import Lanes
    from domain.lanes.repository import LaneRepository
    from domain.ports import Clock, NewId
    from domain.schedules.repository import ScheduleListing, ScheduleRepository
    from domain.schedules.tick_queue import TickQueue
    from domain.users.repository import UserRepository
    from domain.webhooks.repository import EndpointRepository, SignerRepository
    from domain.webhooks.signing import NewSecret
    from functions.api.http.identity import Identify


@dataclass(frozen=True)
class Large:
    """What large documents and files need."""

    blobs: BlobStore
    files: FileRepository
    file_lifetime: timedelta


@dataclass(frozen=True)
class Scheduling:
    """What schedules need."""

    schedules: ScheduleRepository
    listing: ScheduleListing
    queue: TickQueue
    per_owner: int
    """How many one user may have."""


@dataclass(frozen=True)
class Remembering:
    """What steps, signals and children need."""

    steps: StepRepository
    listing: StepListing
    counts: CountRepository
    children: ChildListing


@dataclass(frozen=True)
class Webhooks:
    """What webhooks need."""

    endpoints: EndpointRepository
    signers: SignerRepository
    new_secret: NewSecret


@dataclass(frozen=True)
class Parts:
    """What several features share."""

    app: FastAPI
    jobs: JobRepository
    listing: JobListing
    users: UserRepository
    catalogue: Catalogue
    clock: Clock
    new_id: NewId
    lanes: Lanes | None
    lane_store: LaneRepository | None
    identify: Identify
    documents: Documents
    disclosure: Disclosure
    lists: JobListService
    job_service: JobService
    submissions: SubmissionService
