"""Files over HTTP."""

import pytest
from pydantic import BaseModel, JsonValue

from domain.blobs.store import MAX_BLOB_BYTES
from domain.files.file import blob_key
from domain.jobs.catalogue import Catalogue
from headrace import File, job_type
from headrace.testing.blob_store import FakeBlobStore, StoredBlob
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Api


class Source(BaseModel):
    """A payload with a file."""

    source: File


class Done(BaseModel):
    """Nothing to say."""


@job_type("test.read")
def read(source: Source) -> Done:
    """Read a file."""
    return Done()


@pytest.fixture
def blobs() -> FakeBlobStore:
    return FakeBlobStore()


@pytest.fixture
def api(users: FakeUserRepository, blobs: FakeBlobStore) -> Api:
    return Api(users=users, blobs=blobs, types=Catalogue([read]))


FILE: dict[str, JsonValue] = {"name": "a b.csv", "content_type": "text/csv; charset=utf-8", "size": 3}


def requested(api: Api) -> dict[str, JsonValue]:
    answer = api.call("POST", "/v1/files", FILE)
    assert answer.status == 201, answer.text
    assert answer.headers["location"] == f"/v1/files/{answer.json['id']}"
    assert answer.headers["cache-control"] == "no-store"
    return answer.json


def uploaded(api: Api, blobs: FakeBlobStore) -> str:
    file_id = str(requested(api)["id"])
    blobs.stored[blob_key(MEMBER.id, file_id)] = StoredBlob(b"a,b", "text/csv")
    return file_id


def test_an_upload_is_answered_with_the_request_that_does_it(api: Api) -> None:
    file = requested(api)
    upload = file["upload"]
    assert isinstance(upload, dict)
    assert upload["method"] == "PUT"
    assert upload["headers"] == {"content-length": "3", "content-type": "text/csv; charset=utf-8"}
    assert (upload["expires_at"], file["expires_at"]) == ("2026-11-23T04:00:00.123456Z", "2026-12-23T03:00:00.000000Z")
    assert "owner_id" not in file


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": "x" * 201}, {"name": "a\nb"}, {"content_type": "csv"},
        {"content_type": "text/csv\r\nx: y"}, {"content_type": "text/" + "x" * 100}, {"size": -1}, {"size": "3"},
        {"size": 1.5}, {"owner_id": "x"}, {"id": "x"},
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_refused(api: Api, change: dict[str, JsonValue]) -> None:
    api.call("POST", "/v1/files", {**FILE, **change}).refused(422, "invalid_request")
    assert api.files.stored == {}


def test_a_file_above_five_gigabytes_is_too_large(api: Api) -> None:
    api.call("POST", "/v1/files", {**FILE, "size": MAX_BLOB_BYTES + 1}).refused(413, "file_too_large")


def test_a_file_is_downloaded_by_a_redirect_once_it_is_uploaded(api: Api, blobs: FakeBlobStore) -> None:
    waiting = requested(api)["id"]
    api.call("GET", f"/v1/files/{waiting}").refused(409, "file_not_uploaded")
    file_id = uploaded(api, blobs)
    answer = api.call("GET", f"/v1/files/{file_id}")
    assert answer.status == 307
    assert f"/files/{MEMBER.id}/{file_id}" in str(answer.headers["location"])
    assert answer.headers["cache-control"] == "no-store"


def test_another_tenants_file_is_not_there_and_an_admin_has_it(api: Api, blobs: FakeBlobStore) -> None:
    file_id = uploaded(api, blobs)
    api.call("GET", f"/v1/files/{file_id}", who=OTHER).refused(404, "file_not_found")
    api.call("GET", "/v1/files/nothing").refused(404, "file_not_found")
    assert api.call("GET", f"/v1/files/{file_id}", who=ADMIN).status == 307


def test_a_job_takes_its_owners_files_and_no_others(api: Api, blobs: FakeBlobStore) -> None:
    job: JsonValue = {"type": "test.read", "payload": {"source": {"id": uploaded(api, blobs)}}}
    assert api.call("POST", "/v1/jobs", job).status == 202
    for who in (OTHER, ADMIN):
        problem = api.call("POST", "/v1/jobs", job, who=who).refused(422, "invalid_payload").json
        errors = problem["errors"]
        assert isinstance(errors, list)
        assert isinstance(errors[0], dict)
        assert (errors[0]["pointer"], str(errors[0]["detail"])[:16]) == ("/payload", "there is no file")
