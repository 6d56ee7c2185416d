"""A repository returns a result whatever the network and the service do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiobotocore.config import AioConfig
from aiohttp import web

from domain.jobs.change import Change
from domain.jobs.filtering import JobFilter
from domain.paging import PageRequest
from domain.results import StorageUnavailable
from domain.users.user import Email, changed_user
from functions.runtime import LazyClient
from headrace.emulator.database import free_port
from persistence.dynamodb.client import CONFIG
from tests.conftest import job_listing_on, job_repository_on, user_repository_on
from tests.factories import NOW, UserFactory, claimed, queued

IMPATIENT = CONFIG.merge(
    AioConfig(connect_timeout=0.5, read_timeout=0.5, retries={"mode": "standard", "total_max_attempts": 1})
)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def error(code: str, status: int = 400) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}
        return web.json_response(body, status=status)

    return answer


async def hang(_request: web.Request) -> web.Response:
    await asyncio.sleep(2)
    return web.Response()


async def reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def garbage(_request: web.Request) -> web.Response:
    return web.Response(status=502, content_type="text/html", text="<html>Bad Gateway</html>")


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"Item"')
    assert request.transport is not None
    request.transport.abort()
    return response


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def every_answer(url: str) -> list[object]:
    """Return the result of each method of both repositories."""
    client = LazyClient(url, IMPATIENT)
    jobs, users, lists = job_repository_on(client), user_repository_on(client), job_listing_on(client)
    job, user = queued(), UserFactory.build()
    moved = changed_user(user, NOW, email=Email("new@example.com"), name=None, role=None)
    try:
        return [
            await jobs.add(Change(job), NOW),
            await jobs.get(job.id, NOW),
            await jobs.replace(Change(claimed(job)), 1),
            await lists.list_by_owner("owner", JobFilter(), PageRequest(), NOW),
            await lists.list_by_owner("owner", JobFilter(statuses=("running",)), PageRequest(), NOW),
            await lists.list_unfinished(JobFilter(), PageRequest(), NOW),
            await lists.list_failed("csv.profile", PageRequest(), NOW),
            await jobs.due("0", NOW, 10, None),
            await users.add(user),
            await users.get(user.id),
            await users.get_by_email(Email(user.email)),
            await users.replace(moved, user),
        ]
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error("ProvisionedThroughputExceededException"), "throttled"),
        (error("ThrottlingException"), "throttled"),
        (error("RequestLimitExceeded"), "throttled"),
        (error("InternalServerError", 500), "server"),
        (error("ServiceUnavailable", 503), "server"),
        (error("AccessDeniedException"), "rejected"),
        (error("ResourceNotFoundException"), "rejected"),
        (error("ValidationException"), "rejected"),
        (hang, "timeout"),
        (reset, "connection"),
        (cut, "connection"),
        (garbage, "server"),
    ],
    ids=[
        "provisioned",
        "throttling",
        "limit",
        "500",
        "503",
        "denied",
        "no table",
        "invalid",
        "hang",
        "reset",
        "cut",
        "garbage",
    ],
)
async def test_every_failure_is_a_result(answer: Answer, reason: str) -> None:
    async with serving(answer) as url:
        answers = await every_answer(url)
    for each in answers:
        assert isinstance(each, StorageUnavailable), each
        assert each.reason == reason


async def test_a_refused_connection_is_a_result() -> None:
    for each in await every_answer(f"http://127.0.0.1:{free_port()}"):
        assert isinstance(each, StorageUnavailable)
        assert each.reason == "connection"
