"""Large payloads and results over HTTP."""

import json

import pytest
from pydantic import JsonValue

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.documents import SPILL_BYTES, Documents
from domain.jobs.job import BlobRef, Job
from domain.jobs.submitting import MAX_PAYLOAD_BYTES
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import to_json_text
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import claimed, legal
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, OTHER, Answer, Api

CSV = "a,b\n" + "1,2\n" * SPILL_BYTES
MAX_ANSWER = 6 * 1024 * 1024


@pytest.fixture
def blobs() -> FakeBlobStore:
    return FakeBlobStore()


@pytest.fixture
def jobs() -> FakeJobRepository:
    return FakeJobRepository()


@pytest.fixture
def api(jobs: FakeJobRepository, users: FakeUserRepository, blobs: FakeBlobStore) -> Api:
    return Api(jobs, users, blobs=blobs)


def submitted(api: Api, csv: str = CSV) -> dict[str, JsonValue]:
    answer = api.call("POST", "/v1/jobs", {"type": "csv.profile", "payload": {"csv": csv}})
    assert answer.status == 202, answer.text
    return answer.json


def entries(answer: Answer, name: str) -> list[dict[str, JsonValue]]:
    found = answer.json[name]
    assert isinstance(found, list)
    return [entry for entry in found if isinstance(entry, dict)]


async def succeeded(jobs: FakeJobRepository, blobs: FakeBlobStore, job_id: JsonValue, result: JsonValue) -> Job:
    (job,) = (job for job in jobs.stored if job.id == job_id)
    running = claimed(job, job.created_at)
    await jobs.replace(Change(running), job.version)
    kept = await Documents(blobs).keep(job.id, "result", lambda: "1", to_json_text(result))
    assert isinstance(kept, str | BlobRef)
    done = legal(transitions.succeed(running, Policy(), kept, job.created_at))
    await jobs.replace(Change(done), running.version)
    return done


def test_a_submission_answers_with_a_reference_and_a_read_with_the_payload(api: Api) -> None:
    job = submitted(api)
    href = f"/v1/jobs/{job['id']}/payload"
    assert (job["payload"], job["payload_ref"]) == (None, {"size": len(json.dumps({"csv": CSV})) - 1, "href": href})
    read = api.call("GET", f"/v1/jobs/{job['id']}").json
    assert (read["payload"], read["payload_ref"]) == ({"csv": CSV}, None)
    assert read["result_ref"] is None


def test_a_small_job_has_no_reference(api: Api, blobs: FakeBlobStore) -> None:
    job = submitted(api, "a\n1\n")
    assert (job["payload"], job["payload_ref"], job["result_ref"]) == ({"csv": "a\n1\n"}, None, None)
    assert blobs.stored == {}


def test_the_largest_payload_is_accepted_and_a_byte_more_is_not(api: Api) -> None:
    frame = len('{"csv":""}')
    submitted(api, "x" * (MAX_PAYLOAD_BYTES - frame))
    one_more: JsonValue = {"type": "csv.profile", "payload": {"csv": "x" * (MAX_PAYLOAD_BYTES - frame + 1)}}
    api.call("POST", "/v1/jobs", one_more).refused(413, "payload_too_large")


def test_a_list_shows_references_and_never_reads_a_blob(api: Api, blobs: FakeBlobStore) -> None:
    job = submitted(api)
    blobs.stored.clear()
    for include in ("payload", "payload,result"):
        (entry,) = entries(api.call("GET", "/v1/jobs", query={"include": include}), "items")
        assert entry["payload_ref"] == job["payload_ref"]
        assert entry.get("payload") is None
        assert "result_ref" not in entry


async def test_documents_that_do_not_fit_are_left_out_with_a_link(
    api: Api, jobs: FakeJobRepository, blobs: FakeBlobStore
) -> None:
    job = submitted(api, "x" * 4_000_000)
    await succeeded(jobs, blobs, job["id"], {"rows": "é" * 700_000})
    answer = api.call("GET", f"/v1/jobs/{job['id']}")
    assert len(json.dumps(answer.text)) < MAX_ANSWER
    assert (answer.json["payload"], answer.json["result"]) == (None, {"rows": "é" * 700_000})
    for name in ("payload", "result"):
        link = api.call("GET", f"/v1/jobs/{job['id']}/{name}")
        assert link.status == 307
        assert f"/jobs/{job['id']}/{name}-" in str(link.headers["location"])
        assert link.headers["cache-control"] == "no-store"


def test_a_small_document_is_given_at_its_own_address(api: Api) -> None:
    job = submitted(api, "a\n1\n")
    answer = api.call("GET", f"/v1/jobs/{job['id']}/payload")
    assert (answer.status, answer.json) == (200, {"csv": "a\n1\n"})
    api.call("GET", f"/v1/jobs/{job['id']}/result").refused(404, "result_not_found")
    api.call("GET", "/v1/jobs/nobody/payload").refused(404, "job_not_found")


def test_another_tenants_document_is_not_there_and_an_admin_sees_it(api: Api) -> None:
    job = submitted(api)
    api.call("GET", f"/v1/jobs/{job['id']}/payload", who=OTHER).refused(404, "job_not_found")
    assert api.call("GET", f"/v1/jobs/{job['id']}/payload", who=ADMIN).status == 307


def test_a_job_whose_document_is_lost_can_be_read_and_says_where_it_was(api: Api, blobs: FakeBlobStore) -> None:
    job = submitted(api)
    blobs.stored.clear()
    read = api.call("GET", f"/v1/jobs/{job['id']}").json
    assert (read["status"], read["payload"], read["payload_ref"]) == ("queued", None, job["payload_ref"])
    api.call("GET", f"/v1/jobs/{job['id']}/payload").refused(410, "payload_missing")


def test_an_unchanged_job_is_answered_without_a_look_at_its_blob(api: Api, blobs: FakeBlobStore) -> None:
    job = submitted(api)
    blobs.stored.clear()
    answer = api.call("GET", f"/v1/jobs/{job['id']}", headers={"if-none-match": '"1"'})
    assert answer.status == 304


def test_a_batch_answers_with_references(api: Api) -> None:
    entry: JsonValue = {"type": "csv.profile", "payload": {"csv": CSV}}
    answer = api.call("POST", "/v1/jobs/batch", {"jobs": [entry, entry]})
    for result in entries(answer, "results"):
        job = result["job"]
        assert isinstance(job, dict)
        assert (result["status"], result["omitted"], job["payload"]) == (202, [], None)
        assert job["payload_ref"]
