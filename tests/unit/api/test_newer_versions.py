"""Data of a newer version is shown as far as this version knows it, and never causes a server error."""

from typing import cast

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.repository import JobUnreadable
from headrace.testing.job_repository import FakeJobRepository
from persistence.converters.dynamo_to_domain import item_to_job, job_to_item
from tests.conftest import new_id
from tests.factories import NOW, failed
from tests.fakes.faulty_job_repository import FaultyJobRepository
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import MEMBER, Api

Item = dict[str, object]


def of_a_newer_version(job: Job) -> Job:
    """Return the job as a newer version writes it, with unknown members of every type."""
    item = cast("Item", job_to_item(job, "w"))
    error = cast("Item", cast("Item", item["error"])["M"])
    error |= {"reason": {"S": "child"}, "causes": {"L": [{"M": {"file": {"S": "x.py"}}}]}, "blob": {"B": b"\x00"}}
    history = cast("list[dict[str, Item]]", cast("Item", item["history"])["L"])
    history[0]["M"] |= {"by": {"NULL": True}, "places": {"SS": ["a"]}}
    read = item_to_job(item)
    assert isinstance(read, Job), read
    return read


async def test_unknown_attributes_are_not_shown_and_break_neither_a_read_nor_a_list(users: FakeUserRepository) -> None:
    jobs = FakeJobRepository()
    api = Api(jobs, users)
    job = of_a_newer_version(failed(id=new_id(), owner_id=MEMBER.id))
    await jobs.add(Change(job), NOW)
    one = api.call("GET", f"/v1/jobs/{job.id}")
    listed = api.call("GET", "/v1/jobs")
    assert (one.status, listed.status) == (200, 200)
    assert "by" not in str(one.json["history"])
    assert job.id in str(listed.json)


def test_a_job_in_a_newer_versions_form_gets_503_and_a_time_to_retry(users: FakeUserRepository) -> None:
    newer = JobUnreadable(job_id="x", detail="status", newer=True)
    api = Api(FaultyJobRepository(FakeJobRepository(), on_read=lambda: newer), users)
    answer = api.call("GET", f"/v1/jobs/{new_id()}")
    answer.refused(503, "newer_version")
    assert answer.headers["retry-after"] == "1"
