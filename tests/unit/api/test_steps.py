"""/v1/jobs/{id}/steps and /v1/jobs/{id}/signals."""

import pytest
from pydantic import JsonValue

from domain.durable.step import STEP, Step
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import BlobRef, Job, WaitFor
from domain.jobs.outcomes import Pause
from domain.jobs.transitions import Known
from headrace.authoring.json_text import JsonText
from tests.factories import NOW, POLICY, TOKEN, claimed, legal, queued, succeeded
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, Api

WAIT = Pause(waits_for=(WaitFor(kind="signal", name="approved"),), until=NOW.replace(year=2027))


@pytest.fixture
async def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


async def a_waiting_job(api: Api, owner_id: str = MEMBER.id) -> Job:
    """With two steps, of which one has a large value."""
    job = await api.jobs.add(Change(claimed(queued(owner_id=owner_id))), NOW)
    assert isinstance(job, Job)
    values = {"charge": JsonText('{"cents":100}'), "label": BlobRef(key="k", size=20_000, sha256="f" * 64)}
    for name, value in values.items():
        step = Step(job_id=job.life, name=name, kind=STEP, attempt=1, began_at=NOW, ended_at=NOW, value=value)
        await api.steps.remember(step.model_copy(update={"write_id": name}), TOKEN, NOW)
    paused = transitions.finish(job, POLICY, TOKEN, WAIT, NOW, 0.5, Known(steps=2))
    waiting = await api.jobs.replace(Change(legal(paused)), job.version)
    assert isinstance(waiting, Job)
    return waiting


async def test_a_waiting_job_says_what_it_waits_for_and_why(api: Api) -> None:
    job = await a_waiting_job(api)
    shown = api.call("GET", f"/v1/jobs/{job.id}").json
    assert (shown["status"], shown["steps"]) == ("waiting", 2)
    assert shown["waiting_for"] == [{"kind": "signal", "name": "approved"}]
    assert (shown["run_at"], shown["attempt"]) == ("2027-11-23T03:00:00.123456Z", 0)
    why = api.call("GET", f"/v1/jobs/{job.id}/why").json
    assert why["code"] == "waiting"
    assert why["text"] == "it waits for the signal approved since 2026-11-23 03:00:00 UTC"


async def test_steps_are_listed_with_their_values_page_by_page(api: Api) -> None:
    job = await a_waiting_job(api)
    first = api.call("GET", f"/v1/jobs/{job.id}/steps", query={"limit": "1"}).json
    moment = "2026-11-23T03:00:00.123456Z"
    assert first["items"] == [{
        "name": "charge", "kind": "step", "attempt": 1, "began_at": moment, "ended_at": moment, "until": None,
        "value": {"cents": 100}, "value_size": None,
    }]  # fmt: skip
    rest = api.call("GET", f"/v1/jobs/{job.id}/steps", query={"cursor": str(first["next"])}).json
    assert [(step["name"], step["value"], step["value_size"]) for step in rest["items"]] == [("label", None, 20_000)]  # type: ignore[index, union-attr, call-overload]
    assert rest["next"] is None
    api.call("GET", f"/v1/jobs/{job.id}/steps", query={"cursor": "forged"}).refused(400, "bad_cursor")


async def test_a_signal_queues_the_job_that_waits_for_it(api: Api) -> None:
    job = await a_waiting_job(api)
    answer = api.call("POST", f"/v1/jobs/{job.id}/signals/approved", {"by": "Ann"})
    assert (answer.status, answer.json["status"]) == (202, "queued")
    again = api.call("POST", f"/v1/jobs/{job.id}/signals/approved", {"by": "Ann"})
    assert (again.status, again.headers["idempotency-replayed"]) == (202, "true")
    api.call("POST", f"/v1/jobs/{job.id}/signals/approved", {"by": "Bob"}).refused(409, "signal_refused")
    (step,) = (step for step in await api.steps.remembered(job.life) if step.kind == "received")
    assert step.value == '{"by":"Ann"}'


async def test_any_json_is_a_signal(api: Api) -> None:
    job = await a_waiting_job(api)
    values: tuple[JsonValue, ...] = (1, "text", [], True, {"deep": [1.5]})
    for number, value in enumerate(values):
        assert api.call("POST", f"/v1/jobs/{job.id}/signals/s{number}", value).status == 202
    assert api.call("POST", f"/v1/jobs/{job.id}/signals/none", b"null").status == 202


async def test_a_signal_of_256_kb_is_kept_among_the_blobs_and_a_larger_one_refused(api: Api) -> None:
    job = await a_waiting_job(api)
    assert api.call("POST", f"/v1/jobs/{job.id}/signals/large", "x" * (256 * 1024 - 2)).status == 202
    refused = api.call("POST", f"/v1/jobs/{job.id}/signals/larger", "x" * 256 * 1024).refused(422, "invalid_signal")
    assert refused.json["errors"] == [
        {"pointer": "", "detail": "the signal has 262146 bytes of JSON, the limit is 262144"}
    ]


@pytest.mark.parametrize("name", ["-", "a b", "a#b", "x" * 101, "ä"])
async def test_a_signal_needs_a_name_that_stands_in_keys(api: Api, name: str) -> None:
    job = await a_waiting_job(api)
    api.call("POST", f"/v1/jobs/{job.id}/signals/{name}", 1).refused(422, "invalid_signal")


async def test_a_job_takes_a_hundred_signals(api: Api) -> None:
    job = await a_waiting_job(api)
    for number in range(100):
        assert api.call("POST", f"/v1/jobs/{job.id}/signals/s{number}", number).status == 202
    api.call("POST", f"/v1/jobs/{job.id}/signals/approved", 1).refused(409, "signal_refused")
    assert api.call("POST", f"/v1/jobs/{job.id}/signals/s7", 7).status == 202


async def test_a_job_that_has_ended_takes_no_signal(api: Api) -> None:
    job = await api.jobs.add(Change(succeeded(owner_id=MEMBER.id)), NOW)
    assert isinstance(job, Job)
    api.call("POST", f"/v1/jobs/{job.id}/signals/approved", 1).refused(409, "illegal_transition")


async def test_another_tenants_job_is_not_there(api: Api) -> None:
    job = await a_waiting_job(api, owner_id="another")
    api.call("POST", f"/v1/jobs/{job.id}/signals/approved", 1).refused(404, "job_not_found")
    api.call("GET", f"/v1/jobs/{job.id}/steps").refused(404, "job_not_found")
    api.call("GET", "/v1/jobs/none/steps").refused(404, "job_not_found")
    assert api.call("GET", f"/v1/jobs/{job.id}/steps", who=ADMIN).status == 200


async def test_a_waiting_job_is_listed_by_its_status(api: Api) -> None:
    job = await a_waiting_job(api)
    listed = api.call("GET", "/v1/jobs", query={"status": "waiting"}).json["items"]
    assert isinstance(listed, list)
    assert [each["id"] for each in listed if isinstance(each, dict)] == [job.id]
