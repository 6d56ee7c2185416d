"""Who sees an exception's message and frames: the job type decides for callers, admins always do."""

import json
from typing import Literal

import pytest
from pydantic import JsonValue

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Frame, Job
from domain.jobs.outcomes import Outcome, Raised
from domain.users.user import User
from headrace.authoring.job_type import Policy
from headrace.authoring.outcomes import Fail
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, finished, running
from tests.fakes.handlers import a_handler
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, Api

ID = "00000000-0000-4000-8000-00000000000a"
FRAMES = (Frame(file="job_types/orders.py", line=12, function="charge"),)
RAISED = Raised(code="KeyError", message="'card 4111'", frames=FRAMES)
SHOWN: JsonValue = [{"file": "job_types/orders.py", "line": 12, "function": "charge", "source": None}]

Known = Literal["exposing", "hiding", "unknown"]


async def an_api(users: FakeUserRepository, known: Known, outcome: Outcome = RAISED) -> Api:
    """An API with one job of MEMBER's that came to `outcome`; its type is known as `known` says."""
    jobs = FakeJobRepository()
    job: Job = finished(running(id=ID, owner_id=MEMBER.id, type="order.charge"), outcome)
    await jobs.add(Change(job), NOW)
    handler = a_handler("order.charge", policy=Policy(expose_errors=known == "exposing"))
    return Api(jobs, users, Catalogue([] if known == "unknown" else [handler]))


def errors(api: Api, who: User) -> list[JsonValue]:
    """The job's error, read alone and in a list."""
    alone = api.call("GET", f"/v1/jobs/{ID}", who=who).json
    listed = api.call("GET", "/v1/jobs", who=who, query={"owner": MEMBER.id}).json["items"]
    assert isinstance(listed, list)
    return [job["error"] for job in (alone, *listed) if isinstance(job, dict)]


async def test_a_caller_sees_the_message_and_the_frames_of_an_exception(users: FakeUserRepository) -> None:
    api = await an_api(users, "exposing")
    found = errors(api, MEMBER)
    assert len(found) == 2
    for error in found:
        assert isinstance(error, dict)
        assert (error["code"], error["message"], error["frames"]) == ("KeyError", "'card 4111'", SHOWN)


@pytest.mark.parametrize("known", ["hiding", "unknown"])
async def test_of_a_type_that_hides_errors_a_caller_sees_the_exceptions_type_alone(
    users: FakeUserRepository, known: Known
) -> None:
    found = errors(await an_api(users, known), MEMBER)
    assert len(found) == 2
    for error in found:
        assert isinstance(error, dict)
        assert (error["code"], error["message"]) == ("KeyError", "the handler raised KeyError")
        assert error["frames"] == []


@pytest.mark.parametrize("known", ["hiding", "unknown"])
async def test_an_admin_sees_all_of_it(users: FakeUserRepository, known: Known) -> None:
    found = errors(await an_api(users, known), ADMIN)
    assert len(found) == 2
    for error in found:
        assert isinstance(error, dict)
        assert (error["message"], error["frames"]) == ("'card 4111'", SHOWN)


async def test_a_failure_that_the_handler_returned_is_for_the_caller(users: FakeUserRepository) -> None:
    api = await an_api(users, "hiding", Fail(code="no_stock", reason="sold out"))
    (error, _) = errors(api, MEMBER)
    assert isinstance(error, dict)
    assert (error["code"], error["message"], error["frames"]) == ("no_stock", "sold out", [])


async def test_a_result_that_cannot_be_serialized_hides_why(users: FakeUserRepository) -> None:
    broken = Raised(code="invalid_result", message="the result is not JSON: secret", frames=FRAMES, permanent=True)
    (error, _) = errors(await an_api(users, "hiding", broken), MEMBER)
    assert isinstance(error, dict)
    assert (error["message"], error["frames"], error["reason"]) == ("the result is not JSON", [], "permanent")


@pytest.mark.parametrize("known", ["hiding", "unknown"])
@pytest.mark.parametrize("path", [f"/v1/jobs/{ID}", "/v1/jobs", f"/v1/jobs/{ID}/why"])
async def test_what_is_hidden_is_nowhere_in_a_response(users: FakeUserRepository, known: Known, path: str) -> None:
    api = await an_api(users, known)
    assert "4111" not in json.dumps(api.call("GET", path, who=MEMBER).json)


async def test_the_history_says_what_an_attempt_said_and_where(users: FakeUserRepository) -> None:
    history = (await an_api(users, "exposing")).call("GET", f"/v1/jobs/{ID}", who=MEMBER).json["history"]
    assert isinstance(history, list)
    last = history[-1]
    assert isinstance(last, dict)
    assert (last["code"], last["message"], [last["frame"]]) == ("KeyError", "'card 4111'", SHOWN)
