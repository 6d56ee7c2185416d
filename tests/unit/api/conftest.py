"""The API over fakes, called as Lambda calls it: an event in, a response out."""

import asyncio
import base64
import io
import json
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from aws_lambda_powertools import Logger
from mangum import Mangum
from pydantic import JsonValue

from domain.blobs.store import BlobStore
from domain.jobs.catalogue import Catalogue
from domain.jobs.listing import JobListing
from domain.jobs.repository import JobRepository
from domain.lanes.lanes import Lanes
from domain.quotas.quotas import Quotas
from domain.users.principal import USUAL_SCOPES, Principal
from domain.users.quota import DEFAULT, Quota
from domain.users.repository import UserRepository
from domain.users.user import Role, User
from functions.api.app import create_app
from functions.api.handler import TEXT
from functions.api.http.event import readable
from functions.api.http.prefixes import without_prefix
from functions.api.jobs.waiting import LONGEST_WAIT
from functions.api.parts import Large, Remembering, Scheduling, Webhooks
from functions.job_types import load_job_types
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.child_repository import FakeChildReader, FakeCountRepository
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.file_repository import FakeFileRepository
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.lane_repository import FakeLaneRepository
from headrace.testing.step_repository import FakeStepRepository
from persistence.cursors import CursorCodec
from persistence.dynamodb.repositories.child_listing import SealedChildListing
from persistence.dynamodb.repositories.step_listing import SealedStepListing
from tests.factories import NOW, UserFactory
from tests.fakes.job_listing import CURSOR_KEY, FakeJobListing
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.schedule_repository import FakeScheduleRepository, FakeTickQueue
from tests.fakes.stats_repository import FakeStatsRepository
from tests.fakes.usage import FakeUsage
from tests.fakes.user_repository import FakeUserRepository
from tests.fakes.webhook_repository import FakeEndpointRepository, FakeSignerRepository, fixed_secrets

ISSUER = "https://issuer.test"


def a_user(number: int, name: str, role: Role = "member") -> User:
    """A user who has signed in before."""
    id = f"00000000-0000-4000-9000-{number:012}"
    subject = f"{ISSUER}#{id}"
    signed_in = Principal(
        id=id, kind="sign-in", subject=subject, name="first sign-in", scopes=USUAL_SCOPES, created_at=NOW
    )
    return UserFactory.build(id=id, email=f"{name}@example.com", role=role, principals=(signed_in,))


MEMBER, OTHER, ADMIN = a_user(1, "member"), a_user(2, "other"), a_user(3, "admin", "admin")


class Answer:
    """An HTTP response."""

    def __init__(self, raw: Mapping[str, JsonValue]) -> None:
        assert raw["isBase64Encoded"] is False
        self.status = raw["statusCode"]
        headers = raw["headers"]
        assert isinstance(headers, dict)
        self.headers = headers
        self.text = str(raw.get("body", ""))

    @property
    def json(self) -> dict[str, JsonValue]:
        answer = json.loads(self.text)
        assert isinstance(answer, dict)
        return answer

    def refused(self, status: int, code: str) -> "Answer":
        """Check that this is the problem document of `code`."""
        assert self.status == status, self.text
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json
        assert (problem["status"], problem["code"]) == (status, code)
        assert problem["request_id"] == self.headers["x-request-id"]
        assert {"type", "title", "detail", "errors"} <= set(problem)
        return self


class Api:
    """Calls the API."""

    def __init__(
        self,
        jobs: JobRepository | None = None,
        users: UserRepository | None = None,
        types: Catalogue | None = None,
        local_email: str | None = None,
        trust_unverified_email: bool = False,
        longest_wait: timedelta = LONGEST_WAIT,
        listing: JobListing | None = None,
        blobs: BlobStore | None = None,
        schedules: FakeScheduleRepository | None = None,
        quota: Quota = DEFAULT,
    ) -> None:
        self.jobs = jobs or FakeJobRepository()
        self.schedules = schedules or FakeScheduleRepository(FakeJobRepository())
        self.ticks = FakeTickQueue()
        self.listing = listing or FakeJobListing(
            self.jobs if isinstance(self.jobs, FakeJobRepository) else FakeJobRepository()
        )
        self.users = users or FakeUserRepository()
        self.clock = FakeClock()
        self.log = io.StringIO()
        logger = Logger(f"test-{uuid.uuid4()}", stream=self.log)
        catalogue = types or load_job_types("job_types")
        self.files = FakeFileRepository()
        self.stats = FakeStatsRepository()
        self.endpoints, self.signers = FakeEndpointRepository(), FakeSignerRepository()
        large = Large(blobs or FakeBlobStore(), self.files, timedelta(days=30))
        stored = self.jobs if isinstance(self.jobs, FakeJobRepository) else FakeJobRepository()
        self.steps, cursors = FakeStepRepository(stored), CursorCodec(CURSOR_KEY)
        self.children, self.counts = FakeChildReader(stored), FakeCountRepository(stored)
        self.lane_store = FakeLaneRepository(stored)
        self.lanes = Lanes(self.jobs, self.lane_store, catalogue, self.clock, half)
        app = create_app(
            self.jobs, self.listing, self.users, catalogue, self.clock, numbered_ids(), logger, local_email,
            trust_unverified_email, longest_wait, large, self.lanes, self.lane_store,
            lambda: Scheduling(self.schedules, self.schedules, self.ticks, per_owner=3),
            self.users if isinstance(self.users, FakeUserRepository) else None,
            Webhooks(self.endpoints, self.signers, fixed_secrets()), lambda: self.stats,
            Quotas(FakeUsage(stored), quota, self.clock),
            remembering=lambda: Remembering(
                self.steps, SealedStepListing(self.steps, cursors), self.counts,
                SealedChildListing(self.children, cursors),
            ),
        )  # fmt: skip
        self._mangum = Mangum(app, lifespan="off", text_mime_types=TEXT)
        # Mangum runs the loop of its thread; a test's thread has a running one already.
        self._thread = ThreadPoolExecutor(1, initializer=_with_a_loop)

    def call(
        self,
        method: str,
        path: str,
        body: JsonValue | bytes = None,
        *,
        who: User | Mapping[str, JsonValue] | None = MEMBER,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | str | None = None,
        request_id: str = "request-1",
        route: str = "ANY /v1/{proxy+}",
        authorizer: Mapping[str, JsonValue] | None = None,
    ) -> Answer:
        """Send one request as `who` (a user, or any claims; None sends no claims), or as `authorizer` says."""
        claims = claims_of(who) if isinstance(who, User) else who
        given = authorizer if authorizer is not None else None if claims is None else {"jwt": {"claims": dict(claims)}}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        event = {
            "version": "2.0",
            "routeKey": route,
            "rawPath": path,
            "rawQueryString": query if isinstance(query, str) else urlencode(query or {}),
            "headers": {"content-type": "application/json", **(headers or {})},
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
                "requestId": request_id,
                **({"authorizer": given} if given is not None else {}),
            },
            "body": raw.decode("latin-1") if _is_ascii(raw) else _base64(raw),
            "isBase64Encoded": not _is_ascii(raw),
        }
        called = self._thread.submit(self._mangum, without_prefix(readable(event)), FakeLambdaContext())  # type: ignore[arg-type]
        return Answer(called.result())


def claims_of(user: User) -> dict[str, JsonValue]:
    """The claims of a person's token."""
    return {"iss": ISSUER, "sub": user.id, "email": user.email, "email_verified": "true"}


def _with_a_loop() -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())


def _is_ascii(raw: bytes) -> bool:
    return raw.isascii()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.fixture
async def users() -> FakeUserRepository:
    users = FakeUserRepository()
    for user in (MEMBER, OTHER, ADMIN):
        await users.add(user)
    return users
