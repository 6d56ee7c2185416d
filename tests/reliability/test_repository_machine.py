"""One state machine over the repository port: fake, moto and MiniStack return the same, in any order of calls."""

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime, timedelta
from typing import TypeVar, get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from domain.jobs import transitions
from domain.jobs.change import Change, Companion, Moved
from domain.jobs.filtering import JobFilter
from domain.jobs.job import Cancelled, Failed, Job, Queued, Running, Status
from domain.jobs.listing import JobListing, JobSummary, summary_of
from domain.jobs.outcomes import Done, Outcome
from domain.jobs.repository import CompanionRefused, DuePage, JobExists, JobNotFound, JobRepository, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.paging import Page, PageRequest
from domain.results import BadCursor
from domain.results import StorageUnavailable as Unavailable
from functions.runtime import LazyClient
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry
from headrace.testing.job_repository import FakeJobRepository
from tests.companions import COMPANION_TABLES, given_back, taken
from tests.conftest import job_listing_on, job_repository_on
from tests.factories import NOW, POLICY, NewJobFactory
from tests.fakes.job_listing import FakeJobListing

T = TypeVar("T")
OUTCOMES: tuple[Outcome, ...] = (
    Done(result=JsonText('{"rows":1}')),
    Retry(code="boom", reason="as asked"),
    Fail(code="never", reason="as asked"),
)
STATUSES: tuple[Status, ...] = get_args(Status)
NUMBERS = st.integers(min_value=0, max_value=2)
EXAMPLES = {"fake": 60, "moto": 8, "ministack": 12}


class Machine(RuleBasedStateMachine):
    """A dictionary holds what the repository must contain; every rule compares the two."""

    jobs = Bundle("jobs")

    def __init__(self, repository: JobRepository, listing: JobListing, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.repository = repository
        self.listing = listing
        self.loop = loop
        # Each machine has its own owner and job type, because all machines share one table.
        self.owner = str(uuid.uuid4())
        self.type = f"type-{self.owner}"
        self.now = NOW
        self.held: dict[str, Job] = {}
        self.places: dict[int, str] = {}

    @rule(target=jobs, delay=st.sampled_from([0, 0, 60]), payload=st.text(max_size=20))
    def add(self, delay: int, payload: str) -> str:
        run_at = self.now + timedelta(seconds=delay) if delay else None
        text = JsonText(json.dumps({"csv": payload}))
        new = NewJobFactory.build(
            id=str(uuid.uuid4()), owner_id=self.owner, type=self.type, run_at=run_at, payload=text
        )
        change = transitions.submit(new, POLICY, self.now)
        job = change.job
        assert self.run(self.repository.add(change, self.now)) == job
        self.held[job.id] = job
        self.now += timedelta(milliseconds=1)
        return job.id

    @rule(job_id=jobs)
    def add_again(self, job_id: str) -> None:
        new = NewJobFactory.build(id=job_id, owner_id=self.owner)
        again = transitions.submit(new, POLICY, self.now)
        assert self.run(self.repository.add(again, self.now)) == JobExists(current=self.held[job_id])

    @rule(job_id=jobs, outcome=st.sampled_from(OUTCOMES), cancel=st.booleans())
    def move(self, job_id: str, outcome: Outcome, cancel: bool) -> None:
        before = self.held[job_id]
        change = self._next(before, outcome, cancel=cancel)
        if isinstance(change, IllegalTransition) or change.job == before:
            return
        assert self.run(self.repository.replace(change, before.version)) == change.job
        self.held[job_id] = change.job

    @rule(job_id=jobs, number=NUMBERS)
    def take_a_place(self, job_id: str, number: int) -> None:
        if self.commits(job_id, (taken(self.owner, self.held[job_id], number), number not in self.places)):
            self.places[number] = job_id

    @rule(job_id=jobs, number=NUMBERS)
    def give_a_place_back(self, job_id: str, number: int) -> None:
        if self.commits(job_id, (given_back(self.owner, self.held[job_id], number), self.holds(job_id, number))):
            del self.places[number]

    @rule(job_id=jobs, number=NUMBERS, other=NUMBERS)
    def change_places(self, job_id: str, number: int, other: int) -> None:
        job = self.held[job_id]
        give = (given_back(self.owner, job, number), self.holds(job_id, number))
        take = (taken(self.owner, job, other), other not in self.places)
        if number != other and self.commits(job_id, take, give):
            self.places[other] = self.places.pop(number)

    @rule(job_id=jobs, other=jobs, behind=st.integers(min_value=0, max_value=1), number=NUMBERS)
    def move_two_jobs_together_into_a_place(self, job_id: str, other: str, behind: int, number: int) -> None:
        if other == job_id:
            return
        before = self.held[other]
        after = before.model_copy(update={"version": before.version + 1})
        move = (Moved(job=after, expected_version=before.version - behind), not behind)
        take = (taken(self.owner, self.held[job_id], number), number not in self.places)
        if self.commits(job_id, move, take):
            self.held[other] = after
            self.places[number] = job_id

    @rule(job_ids=st.lists(jobs, min_size=1, max_size=4, unique=True))
    def read_several(self, job_ids: list[str]) -> None:
        found = self.run(self.repository.get_all((*job_ids, str(uuid.uuid4())), self.now))
        assert found == {job_id: self.held[job_id] for job_id in job_ids}

    @rule(job_id=jobs, behind=st.integers(min_value=1, max_value=3))
    def write_on_a_stale_version(self, job_id: str, behind: int) -> None:
        current = self.held[job_id]
        stale = current.model_copy(update={"version": current.version + 1})
        change = Change(stale, (taken(self.owner, current, behind),))
        refused = self.run(self.repository.replace(change, current.version - behind))
        assert refused == VersionConflict(job_id=job_id, current=current)

    @rule(job_id=jobs)
    def replace_a_missing_job(self, job_id: str) -> None:
        missing = self.held[job_id].model_copy(update={"id": str(uuid.uuid4())})
        refused = self.run(self.repository.replace(Change(missing), missing.version))
        assert refused == VersionConflict(job_id=missing.id, current=None)

    @rule(seconds=st.sampled_from([1, 60, 3600]))
    def let_time_pass(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(limit=st.integers(min_value=1, max_value=5), status=st.sampled_from([None, *STATUSES]))
    def list_the_owners(self, limit: int, status: Status | None) -> None:
        wanted = JobFilter(statuses=() if status is None else (status,))
        listed = self.pages(limit, lambda page: self.listing.list_by_owner(self.owner, wanted, page, self.now))
        newest_first = sorted(self.held.values(), key=lambda job: _order(job, status), reverse=True)
        assert listed == [summary_of(job) for job in newest_first if status in {None, job.status}]

    @rule(limit=st.integers(min_value=1, max_value=5))
    def list_the_failed(self, limit: int) -> None:
        listed = self.pages(limit, lambda page: self.listing.list_failed(self.type, page, self.now))
        failed = [(job.state.finished_at, job.id, job) for job in self.held.values() if isinstance(job.state, Failed)]
        assert listed == [summary_of(job) for _, _, job in sorted(failed, key=lambda entry: entry[:2], reverse=True)]

    @rule()
    def list_the_due(self) -> None:
        found: dict[str, object] = {}
        for shard in self.repository.wake_shards:
            after, more = None, True
            while more:
                page = self.run(self.repository.due(shard, self.now, 100, after))
                assert isinstance(page, DuePage)
                found |= {entry.id: entry.wake_at for entry in page.entries}
                after, more = page.next, page.next is not None
        due = {job.id: job.wake_at for job in self.held.values() if job.wake_at and job.wake_at <= self.now}
        assert {job_id: at for job_id, at in found.items() if job_id in self.held} == due

    @invariant()
    def every_job_reads_as_it_was_written(self) -> None:
        for job_id, job in list(self.held.items())[-3:]:
            assert self.run(self.repository.get(job_id, self.now)) == job
        assert isinstance(self.run(self.repository.get(str(uuid.uuid4()), self.now)), JobNotFound)

    def pages(
        self,
        limit: int,
        ask: Callable[[PageRequest], Coroutine[object, object, Page[JobSummary] | BadCursor | Unavailable]],
    ) -> list[JobSummary]:
        """Read all pages of `limit` jobs."""
        listed: list[JobSummary] = []
        cursor = None
        while True:
            page = self.run(ask(PageRequest(limit=limit, cursor=cursor)))
            assert isinstance(page, Page)
            listed += page.items
            cursor = page.next
            if cursor is None:
                return listed

    def holds(self, job_id: str, number: int) -> bool:
        return self.places.get(number) == job_id

    def commits(self, job_id: str, *companions: tuple[Companion, bool]) -> bool:
        """Whether the job's next version was written with companions, each given with whether its condition holds."""
        before = self.held[job_id]
        after = before.model_copy(update={"version": before.version + 1})
        change = Change(after, tuple(companion for companion, _ in companions))
        answer = self.run(self.repository.replace(change, before.version))
        refused = [index for index, (_, holds) in enumerate(companions) if not holds]
        if refused:
            assert answer == CompanionRefused(job_id=job_id, index=refused[0])
            return False
        assert answer == after
        self.held[job_id] = after
        return True

    def run(self, call: Coroutine[object, object, T]) -> T:
        """One call of the repository."""
        return self.loop.run_until_complete(call)

    def _next(self, job: Job, outcome: Outcome, *, cancel: bool) -> Change | IllegalTransition:
        if cancel:
            return transitions.cancel(job, POLICY, self.now)
        match job.state:
            case Queued():
                return transitions.claim(job, POLICY, "token", self.now + timedelta(seconds=90), self.now)
            case Running(lease=lease) if lease.until > self.now:
                return transitions.finish(job, POLICY, lease.token, outcome, self.now, 0.5)
            case _:
                again = transitions.retry_manually(job, POLICY, self.now)
                return again if isinstance(again, Change) else transitions.wake(job, POLICY, self.now, 0.5)


def _order(job: Job, status: Status | None) -> tuple[datetime, str]:
    """Sort key: creation time, or the end time when listing failed or cancelled jobs."""
    ended = job.state.finished_at if isinstance(job.state, Failed | Cancelled) and status else job.created_at
    return ended, job.id


def _on_a_fake(loop: asyncio.AbstractEventLoop) -> Machine:
    jobs = FakeJobRepository(COMPANION_TABLES)
    return Machine(jobs, FakeJobListing(jobs), loop)


@pytest.fixture(params=sorted(EXAMPLES))
def held_in(request: pytest.FixtureRequest) -> Iterator[tuple[str, Callable[[], Machine]]]:
    """Return a factory of machines on one kind of repository, with their own event loop and client."""
    kind = str(request.param)
    loop = asyncio.new_event_loop()
    if kind == "fake":
        yield kind, lambda: _on_a_fake(loop)
    else:
        request.getfixturevalue(f"{kind}_client")  # makes the tables
        client = LazyClient(request.getfixturevalue(f"{kind}_url"))
        yield kind, lambda: Machine(job_repository_on(client), job_listing_on(client), loop)
        loop.run_until_complete(client.close())
    loop.close()


def test_every_repository_behaves_like_the_model(held_in: tuple[str, Callable[[], Machine]]) -> None:
    kind, make = held_in
    run_state_machine_as_test(
        make,  # type: ignore[arg-type]  # its documentation allows a factory
        settings=settings(
            max_examples=EXAMPLES[kind],
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
