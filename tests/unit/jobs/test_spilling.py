"""Large documents: what lies among the blobs, when it is written and deleted, and what its loss means for the job."""

import asyncio
from datetime import timedelta

import pytest

from domain.blobs.store import BlobStore
from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.documents import (
    ANSWER_BYTES,
    SPILL_BYTES,
    DocumentLink,
    DocumentLost,
    Documents,
    NoSuchDocument,
)
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed, Execution, Interrupted, LeaseLost
from domain.jobs.job import BlobRef, Failed, Job, Queued, Succeeded, loaded
from domain.jobs.repository import CompanionRefused, JobRepository
from domain.jobs.submission import Submission
from domain.jobs.submitting import IdempotencyMismatch, SubmissionService, SubmitResult, Submitted
from domain.results import StorageUnavailable
from headrace.authoring.context import JobContext
from headrace.authoring.json_text import JsonText, to_json_text
from headrace.testing.blob_store import FakeBlobStore, StoredBlob
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, POLICY, UserFactory, claimed, legal, queued
from tests.fakes.faulty_blob_store import OUTAGE, FaultyBlobStore
from tests.fakes.faulty_job_repository import FaultyJobRepository
from tests.fakes.handlers import Count, Run, Text, a_handler, count_words

KIND = "text.word_count"
OWNER = UserFactory.build(id="owner-1")
LARGE = "ab " * SPILL_BYTES
DEADLINE = NOW + timedelta(minutes=5)
REJECTED = StorageUnavailable(reason="rejected", detail="AccessDenied")


class Long(Count):
    """A result of any size."""

    text: str


async def answer_at_length(document: Text, _context: JobContext) -> Long:
    return Long(words=len(document.text.split()), text=document.text)


class World:
    """Jobs, blobs and the services on them."""

    def __init__(
        self, run: Run = count_words, jobs: JobRepository | None = None, blobs: BlobStore | None = None
    ) -> None:
        self.jobs, self.blobs = FakeJobRepository(), FakeBlobStore()
        self.clock = FakeClock()
        self.documents = Documents(blobs or self.blobs)
        catalogue = Catalogue([a_handler(KIND, run, POLICY)])
        ids = numbered_ids()
        self.service = SubmissionService(jobs or self.jobs, catalogue, self.clock, ids, self.documents)
        self.executor = JobExecutor(jobs or self.jobs, catalogue, self.clock, ids, half, {}, documents=self.documents)

    def on(self, jobs: JobRepository | None, blobs: BlobStore | None, run: Run = count_words) -> "World":
        """The same jobs and blobs, seen through others."""
        other = World(run, jobs or self.jobs, blobs or self.blobs)
        other.jobs, other.blobs = self.jobs, self.blobs
        return other

    async def submit(self, text: str = LARGE, key: str | None = None, **fields: object) -> SubmitResult:
        submission = Submission.model_validate({"type": KIND, "payload": {"text": text}, **fields})
        return await self.service.submit(submission, OWNER, key)

    async def accepted(self, text: str = LARGE, key: str | None = None) -> Job:
        submitted = await self.submit(text, key)
        assert isinstance(submitted, Submitted), submitted
        return submitted.job

    async def execute(self, job: Job) -> Execution:
        return await self.executor.execute(job, DEADLINE)

    async def executed(self, job: Job) -> Job:
        execution = await self.execute(job)
        assert isinstance(execution, Executed), execution
        return execution.job

    async def stored(self, job: Job) -> Job:
        found = await self.jobs.get(job.id, NOW)
        assert isinstance(found, Job)
        return found


def ref_of(job: Job) -> BlobRef:
    assert isinstance(job.payload, BlobRef)
    return job.payload


def result_of(job: Job) -> BlobRef:
    assert isinstance(job.state, Succeeded)
    assert isinstance(job.state.result, BlobRef)
    return job.state.result


async def test_a_payload_above_the_threshold_becomes_a_blob_and_one_at_it_does_not() -> None:
    world = World()
    frame = len(to_json_text({"text": ""}))
    small = await world.accepted("x" * (SPILL_BYTES - frame))
    assert isinstance(small.payload, str)
    assert world.blobs.stored == {}
    large = await world.accepted("é" * ((SPILL_BYTES - frame) // 2 + 1))
    blob = world.blobs.stored[ref_of(large).key]
    assert (ref_of(large).size, blob.content_type) == (len(blob.content), "application/json")
    assert ref_of(large).size > SPILL_BYTES
    assert len(blob.content.decode()) < SPILL_BYTES


async def test_a_spilled_job_runs_as_one_whose_payload_lies_in_the_item() -> None:
    world = World()
    job = await world.executed(await world.accepted())
    assert isinstance(job.state, Succeeded)
    assert job.state.result == f'{{"words":{SPILL_BYTES}}}'
    assert isinstance(job.payload, BlobRef), "what is stored still refers to the blob"


async def test_a_large_result_is_a_blob_under_a_key_of_its_lease() -> None:
    world = World(answer_at_length)
    job = await world.executed(await world.accepted())
    assert result_of(job).key.startswith(f"jobs/{job.id}/result-")
    assert isinstance(job.state, Succeeded)
    whole = await world.documents.load("result", job.state.result)
    assert whole == to_json_text({"words": SPILL_BYTES, "text": LARGE})


async def test_a_deleted_job_leaves_no_blob_and_deleting_again_is_no_failure() -> None:
    world = World(answer_at_length)
    job = await world.executed(await world.accepted())
    assert len(world.blobs.stored) == 2
    for _ in range(2):
        assert await world.documents.remove(job) is None
    assert world.blobs.stored == {}
    assert await Documents().remove(queued()) is None


async def test_nothing_is_stored_while_the_blobs_are_unavailable() -> None:
    world = World()
    failing = world.on(None, FaultyBlobStore(world.blobs, lambda _: OUTAGE))
    assert await failing.submit() == OUTAGE
    assert world.jobs.stored == ()
    assert isinstance(await failing.submit("short"), Submitted), "small jobs need no blob"


async def test_what_the_table_refuses_leaves_no_blob() -> None:
    world = World()
    refused = CompanionRefused(job_id="x", index=0)
    failing = world.on(FaultyJobRepository(world.jobs, on_add=lambda: refused), None)
    assert isinstance(await failing.submit(), StorageUnavailable)
    assert world.blobs.stored == {}


async def test_a_write_of_which_nothing_was_heard_keeps_its_blob() -> None:
    world = World()
    failing = world.on(FaultyJobRepository(world.jobs, on_add=lambda: OUTAGE), None)
    assert await failing.submit() == OUTAGE
    assert len(world.blobs.stored) == 1, "the item may have been written all the same"


async def test_a_replay_brings_the_job_back_and_leaves_the_blob_that_it_has() -> None:
    world = World()
    job = await world.accepted(key="one")
    again = await world.submit(key="one")
    assert again == Submitted(job=job, replayed=True)
    assert set(world.blobs.stored) == {ref_of(job).key}


async def test_another_payload_under_one_key_is_refused_and_leaves_no_blob() -> None:
    world = World()
    job = await world.accepted(key="one")
    assert await world.submit(f"{LARGE}!", key="one") == IdempotencyMismatch(key="one")
    assert await world.submit("short", key="one") == IdempotencyMismatch(key="one")
    assert set(world.blobs.stored) == {ref_of(job).key}


async def test_a_replay_is_recognised_by_meaning_although_its_payload_is_a_blob() -> None:
    world = World()
    job = await world.accepted(key="one")
    spelled_out = await world.submit(key="one", max_attempts=POLICY.max_attempts)
    assert spelled_out == Submitted(job=job, replayed=True)
    lost = world.on(None, FaultyBlobStore(world.blobs, lambda call: OUTAGE if call == "get" else None))
    assert await lost.submit(key="one", max_attempts=POLICY.max_attempts) == OUTAGE
    world.blobs.stored.clear()
    assert await world.submit(key="one", max_attempts=POLICY.max_attempts) == IdempotencyMismatch(key="one")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "missing"),
        (b"{}", "damaged"),
        (b"x" * 10**6, "damaged"),
        ("x", "damaged"),
    ],
    ids=["gone", "shorter", "longer", "of the same size"],
)
async def test_a_lost_or_damaged_payload_fails_its_job_with_a_clear_error(
    content: bytes | str | None, code: str
) -> None:
    world = World()
    job = await world.accepted()
    key, kind = ref_of(job).key, "application/json"
    if isinstance(content, str):
        content = content.encode() * ref_of(job).size
    world.blobs.stored = {} if content is None else {key: StoredBlob(content, kind)}
    failed = await world.executed(job)
    assert isinstance(failed.state, Failed)
    assert (failed.state.error.code, failed.state.reason) == (f"payload_{code}", "permanent")
    told = {"missing": "not in the blob bucket any more", "damaged": "not what was stored"}[code]
    assert "the payload" in failed.state.error.message
    assert told in failed.state.error.message


async def test_while_the_blobs_cannot_be_read_no_attempt_is_used_up() -> None:
    world = World()
    job = await world.accepted()
    failing = world.on(None, FaultyBlobStore(world.blobs, lambda _: OUTAGE))
    assert await failing.execute(job) == Interrupted(job_id=job.id, stage="claim", problem=OUTAGE)
    assert (await world.stored(job)).attempt == 0
    assert isinstance((await world.executed(job)).state, Succeeded)


async def test_a_result_is_put_again_while_the_store_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.jobs.recording.RECORD_PAUSE", timedelta(0))
    world, answers = World(), [OUTAGE, OUTAGE]
    job = await world.accepted()

    def twice(call: str) -> StorageUnavailable | None:
        return answers.pop() if call == "put" and answers else None

    ended = await world.on(None, FaultyBlobStore(world.blobs, twice), answer_at_length).executed(job)
    assert result_of(ended).key in world.blobs.stored


@pytest.mark.parametrize("fault", [REJECTED, OUTAGE])
async def test_a_result_that_cannot_be_put_leaves_the_job_to_its_lease(fault: StorageUnavailable) -> None:
    world = World()
    job = await world.accepted()

    def on_put(call: str) -> StorageUnavailable | None:
        if call != "put":
            return None
        failing.clock.now = DEADLINE
        return fault

    failing = world.on(None, FaultyBlobStore(world.blobs, on_put), answer_at_length)
    assert await failing.execute(job) == Interrupted(job_id=job.id, stage="record", problem=fault)
    assert (await world.stored(job)).status == "running"


async def test_the_result_of_a_lost_lease_is_deleted_and_the_winners_stays() -> None:
    world = World(answer_at_length)
    job = await world.accepted()

    async def overtaken(document: Text, context: JobContext) -> Long:
        running = await world.stored(job)
        late = running.created_at + timedelta(days=1)
        rescued = legal(transitions.rescue(running, POLICY, late, 0.5))
        await world.jobs.replace(Change(rescued), running.version)
        due = legal(transitions.queue(rescued, POLICY, late + timedelta(hours=1)))
        await world.jobs.replace(Change(due), rescued.version)
        winner = await world.executor.execute(due, late + timedelta(days=1))
        assert isinstance(winner, Executed)
        return await answer_at_length(document, context)

    lost = await world.on(None, None, overtaken).execute(job)
    assert isinstance(lost, LeaseLost)
    won = await world.stored(job)
    assert set(world.blobs.stored) == {ref_of(job).key, result_of(won).key}


async def test_a_trigger_of_an_earlier_job_of_the_same_id_runs_with_the_payload_of_the_present_one() -> None:
    world = World()
    before = await world.accepted("short", key="one")
    world.jobs = FakeJobRepository()
    present = await world.on(None, None).accepted(key="one")
    assert present.id == before.id
    older = before.model_copy(update={"version": 7})
    ended = await world.on(None, None).executed(older)
    assert isinstance(ended.state, Succeeded)
    assert ended.state.result == f'{{"words":{SPILL_BYTES}}}'

    world.jobs = FakeJobRepository()
    present = await world.on(None, None).accepted(key="one")
    unreadable = FaultyBlobStore(world.blobs, lambda _: OUTAGE)
    retrying = await world.on(None, unreadable).executed(older)
    assert (retrying.status, retrying.history[-1].code) == ("retrying", "payload_unavailable")


async def test_an_answer_brings_what_fits_the_result_first() -> None:
    world = World()
    result = JsonText(f'"{"r" * (ANSWER_BYTES // 2)}"')
    payload = JsonText(f'"{"p" * (ANSWER_BYTES // 2)}"')
    job = await a_finished(world, payload, result)
    assert await world.documents.for_answer(job) == {"result": result}
    short = JsonText(f'"{"p" * SPILL_BYTES}"')
    job = await a_finished(world, short, result)
    assert await world.documents.for_answer(job) == {"result": result, "payload": short}
    # What an answer escapes counts as it is written.
    escaped = JsonText(f'"{"é" * (ANSWER_BYTES // 4)}"')
    job = await a_finished(world, JsonText("{}"), escaped)
    assert await world.documents.for_answer(job) == {}
    world.blobs.stored.clear()
    job = await a_finished(world, JsonText("{}"), result)
    world.blobs.stored.clear()
    assert await world.documents.for_answer(job) == {}, "the job can be shown without it"


async def test_an_answer_brings_what_just_fits_and_does_not_read_what_cannot() -> None:
    world = World()
    fits, larger = (JsonText("1" * (ANSWER_BYTES - 2 + more)) for more in (0, 1))
    job = await a_finished(world, JsonText("{}"), fits)
    assert await world.documents.for_answer(job) == {"result": fits}
    job = await a_finished(world, JsonText("{}"), larger)
    reads: list[str] = []

    def note(call: str) -> None:
        reads.append(call)

    assert await Documents(FaultyBlobStore(world.blobs, note)).for_answer(job) == {}
    assert reads == []


async def test_without_a_store_of_blobs_every_document_stays_in_its_item() -> None:
    document = JsonText(f'"{LARGE}"')
    assert await Documents().keep("job", "payload", lambda: "1", document) == document


async def test_a_payload_in_its_item_is_at_hand() -> None:
    job = queued()
    assert await Documents().with_payload(job) is job


async def a_finished(world: World, payload: JsonText, result: JsonText) -> Job:
    """A succeeded job with these documents."""
    kept = await world.documents.keep("job", "payload", lambda: "1", payload)
    outcome = await world.documents.keep("job", "result", lambda: "1", result)
    assert not isinstance(kept, StorageUnavailable)
    assert not isinstance(outcome, StorageUnavailable)
    running = claimed(queued(payload=JsonText("{}"))).model_copy(update={"payload": kept})
    return legal(transitions.succeed(running, POLICY, outcome, NOW))


async def test_a_document_is_linked_where_it_is_a_blob_and_given_where_it_is_not() -> None:
    world = World()
    job = await a_finished(world, JsonText(f'"{LARGE}"'), JsonText('{"rows":1}'))
    assert await world.documents.link(job, "result") == '{"rows":1}'
    link = await world.documents.link(job, "payload")
    assert isinstance(link, DocumentLink)
    assert link.url.startswith("https://")
    waiting = queued()
    assert await world.documents.link(waiting, "result") == NoSuchDocument(job_id=waiting.id)
    failing = Documents(FaultyBlobStore(world.blobs, lambda _: OUTAGE))
    assert await failing.link(job, "payload") == OUTAGE
    key = ref_of(job).key
    world.blobs.stored[key] = StoredBlob(b"{}", "application/json")
    assert await world.documents.link(job, "payload") == DocumentLost(name="payload", why="damaged")
    world.blobs.stored.clear()
    assert await world.documents.link(job, "payload") == DocumentLost(name="payload", why="missing")


async def test_a_reference_without_a_store_is_a_mistake_of_ours() -> None:
    job = await World().accepted()
    with pytest.raises(TypeError, match="no store of blobs"):
        await Documents().with_payload(job)
    with pytest.raises(TypeError, match="not been loaded"):
        loaded(job.payload)


async def test_a_spilled_job_is_cancelled_and_retried_by_hand_without_a_look_at_its_blob() -> None:
    world = World()
    job = await world.accepted()
    world.blobs.stored.clear()
    cancelled = legal(transitions.cancel(job, POLICY, NOW))
    again = legal(transitions.retry_manually(cancelled, POLICY, NOW))
    assert isinstance(again.state, Queued)
    assert again.payload == job.payload


async def test_an_outcome_of_which_nothing_was_heard_keeps_its_blob(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the one that was committed, by a write whose answer was lost before somebody else's change."""
    monkeypatch.setattr("domain.jobs.recording.RECORD_PAUSE", timedelta(0))
    world = World(answer_at_length)
    job = await world.accepted()
    lost: list[Job] = []

    def unheard(finished: Job) -> StorageUnavailable | None:
        if isinstance(finished.state, Succeeded) and not lost:
            lost.append(finished)
            return OUTAGE
        return None

    async def taken_over(document: Text, context: JobContext) -> Long:
        running = await world.stored(job)
        rescued = legal(transitions.rescue(running, POLICY, running.created_at + timedelta(days=1), 0.5))
        await world.jobs.replace(Change(rescued), running.version)
        return await answer_at_length(document, context)

    failing = world.on(FaultyJobRepository(world.jobs, on_replace=unheard), None, taken_over)
    assert isinstance(await failing.execute(job), LeaseLost)
    assert result_of(lost[0]).key in world.blobs.stored


async def test_a_small_outcome_of_a_lost_lease_has_no_blob_to_delete() -> None:
    world = World()
    job = await world.accepted("short")

    async def taken_over(document: Text, context: JobContext) -> Count:
        running = await world.stored(job)
        rescued = legal(transitions.rescue(running, POLICY, running.created_at + timedelta(days=1), 0.5))
        await world.jobs.replace(Change(rescued), running.version)
        raise ValueError(document.text)

    assert isinstance(await world.on(None, None, taken_over).execute(job), LeaseLost)


async def test_a_key_whose_job_is_another_owners_is_another_submission() -> None:
    world = World()
    job = await world.accepted(key="one")
    world.jobs._jobs[job.id] = job.model_copy(update={"owner_id": "somebody"})
    assert await world.submit(key="one") == IdempotencyMismatch(key="one")


async def test_a_document_in_its_item_is_loaded_without_a_look_at_the_store() -> None:
    assert await Documents().load("payload", JsonText("{}")) == "{}"


async def test_an_answer_does_not_wait_for_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(FakeBlobStore):
        async def get(self, key: str, limit: int) -> bytes:
            await asyncio.sleep(60)
            return b""

    monkeypatch.setattr("domain.jobs.documents.ANSWER_TIME", timedelta(milliseconds=20))
    job = await World().accepted()
    assert await Documents(Hanging()).for_answer(job) == {}
