"""How a parent's attempts bring a group on: what is refused, remembered, counted by themselves, and told."""

import asyncio
from datetime import timedelta

import pytest

from domain.children.call import refuse
from domain.children.calls import Elsewhere, Later
from domain.children.group import FIRST_LOOK, LONGEST_LOOK, MAX_CHILDREN, MAX_WAVES
from domain.children.ids import SET, child_id, partition_of
from domain.children.repository import Tally
from domain.children.writing import CHUNK
from domain.durable.repository import LeaseEnded
from domain.durable.step import CHILDREN, ENDED, MAX_LIFE, MAX_VALUE_BYTES, RESULTS, Step, end_key, results_key
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.job import BlobRef, Cancelled, Job, WaitFor
from domain.jobs.outcomes import Done, Pause
from domain.patience import PAUSE
from domain.results import StorageUnavailable
from headrace import ChildFailed, Fail, StepMisused, StepUnavailable
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from tests.factories import NOW, POLICY, claimed, finished, legal, queued
from tests.fakes.faulty_blob_store import FaultyBlobStore
from tests.unit.children.parts import BROKEN, BUSY, World, a_call, deep

ONE = {"words": 1}
MUCH_LATER = NOW + timedelta(days=30)
WAITS = Later(WaitFor(kind=CHILDREN, name="all", round=0), NOW + FIRST_LOOK)


@pytest.mark.parametrize(
    ("call", "refused"),
    [
        (a_call(type="text.none"), "no job type is named 'text.none'"),
        (a_call(payloads=range(MAX_CHILDREN + 1)), "100001 children, the limit is 100000"),
        (a_call(in_flight=0), "0 children at once: at least one runs"),
        (a_call(MAX_WAVES + 1, in_flight=1), "1001 children in 1001 waves of 1, the limit is 1000 waves"),
        (a_call(tolerated=-1), "tolerates -1 failures"),
        (a_call(payloads=[{"words": 1}]), r"all\[0\] cannot be submitted"),
        (a_call(payloads=[{"text": "x" * 6_000_000}]), r"all\[0\] has 6000011 bytes"),
    ],
)
async def test_what_cannot_be_begun_is_refused_with_a_sentence(call: object, refused: str) -> None:
    world = World()
    job = await world.begin()
    with pytest.raises(StepMisused, match=refused):
        await world.advance(job, call)  # type: ignore[arg-type]  # each of them is a call


async def test_a_group_may_have_a_hundred_thousand_children() -> None:
    refuse(a_call(payloads=range(MAX_CHILDREN)), await World().begin())


async def test_children_are_ten_deep_at_the_most() -> None:
    world = World()
    assert await world.advance(await world.begin(deep(9)), a_call()) == WAITS
    world = World()
    with pytest.raises(StepMisused, match="11 deep, the limit is 10"):
        await world.advance(await world.begin(deep(10)), a_call())


async def test_a_group_is_waited_for_and_told_when_the_recorder_has_counted_all() -> None:
    world = World()
    job = await world.begin()
    assert await world.advance(job, a_call()) == WAITS
    waiting = await world.pause(job, Pause(waits_for=(WAITS.wait,), until=WAITS.until))
    assert (waiting.status, waiting.stored_schema) == ("waiting", 5)
    ended = [await world.end(await world.child(job, "all", place)) for place in range(3)]
    assert await world.record(*ended[:2]) == ()
    assert (await world.parent()).status == "waiting"
    for _ in range(3):
        assert await world.record(*ended[1:]) == ()
    woken = await world.parent()
    assert (woken.status, woken.version, woken.signals, woken.rounds) == ("queued", waiting.version + 1, 1, 1)
    again = await world.claim()
    assert await world.advance(again, a_call(0)) == [ONE] * 3, "payloads count no more when all are written"
    assert await world.advance(again, a_call()) == [ONE] * 3
    (end,) = (step for step in await world.steps.remembered(job.life) if step.kind == ENDED)
    assert (end.key, end.failed) == (end_key("all"), None)


async def test_a_pause_that_did_not_know_of_the_end_goes_on() -> None:
    world = World()
    job = await world.begin()
    later = await world.advance(job, a_call(1))
    assert isinstance(later, Later)
    await world.record(await world.end(await world.child(job, "all", 0)))
    assert (await world.pause(job, Pause(waits_for=(later.wait,), until=later.until))).status == "queued"


async def test_the_end_of_another_round_does_not_wake() -> None:
    world = World()
    job = await world.begin()
    later = await world.advance(job, a_call(2, in_flight=1))
    assert isinstance(later, Later)
    child = await world.end(await world.child(job, "all", 0))
    await world.pause(job, Pause(waits_for=(WaitFor(kind=CHILDREN, name="all", round=1),), until=later.until))
    await world.record(child)
    assert (await world.parent()).status == "waiting"


async def test_payloads_may_not_change_before_all_are_written() -> None:
    world = World()
    job = await world.begin()
    world.clock.forward(timedelta(seconds=6))
    assert await world.advance(job, a_call(2 * CHUNK + 1), NOW + timedelta(seconds=10)) == Elsewhere()
    assert ((await world.group(job)).written, len(world.store.stored)) == (0, 1)
    assert isinstance(await world.advance(job, a_call(2 * CHUNK + 1)), Later)
    world = World()
    job = await world.begin()
    world.clock.forward(timedelta(seconds=6))
    await world.advance(job, a_call(2), NOW + timedelta(seconds=10))
    with pytest.raises(StepMisused, match="had 2 payloads when its children began to be written, and is given 3 now"):
        await world.advance(job, a_call(3))


async def test_an_invocation_that_begins_late_writes_some_children_before_it_leaves() -> None:
    world = World()
    job = await world.begin()
    world.clock.forward(timedelta(seconds=6))
    soon, written = NOW + timedelta(seconds=10), []
    while await world.advance(job, a_call(2 * CHUNK), soon) == Elsewhere():
        written.append((await world.group(job)).written)
    assert written == [0, CHUNK]


@pytest.mark.parametrize(("seconds", "leaves"), [(5, False), (5.001, True)])
async def test_an_invocation_writes_children_until_its_half_is_over(seconds: float, leaves: bool) -> None:
    world = World()
    job = await world.begin()
    world.clock.forward(timedelta(seconds=seconds))
    told = await world.advance(job, a_call(1), NOW + timedelta(seconds=10))
    assert isinstance(told, Elsewhere if leaves else Later)


async def test_of_a_group_of_none_neither_an_end_nor_results_are_remembered() -> None:
    world = World()
    job = await world.begin()
    assert await world.advance(job, a_call(0)) == []
    assert [step.kind for step in await world.steps.remembered(job.life)] == [CHILDREN]


async def test_children_that_are_written_are_not_written_again() -> None:
    world = World(spill_bytes=20)
    job = await world.begin()
    call = a_call(payloads=[{"text": "x" * 100}, {"text": ""}])
    world.faults.next["rewrite"] = [BROKEN]
    with pytest.raises(StepUnavailable, match="out of reach: rejected, broken"):
        await world.advance(job, call)
    blobs = dict(world.blobs.stored)
    assert await world.advance(job, call) == WAITS
    assert len(world.store.stored) == 3
    assert world.blobs.stored == blobs, "the second copy of a large payload is deleted"


async def test_a_childs_result_may_be_large() -> None:
    world = World(spill_bytes=20)
    job = await world.begin()
    await world.advance(job, a_call(1))
    large = JsonText('"' + "x" * 100 + '"')
    child = await world.child(job, "all", 0)
    assert child is not None
    ref = await world.documents.keep(child.id, "result", world.new_id, large)
    assert isinstance(ref, BlobRef)
    await world.record(await world.end(child, Done(result=ref)))
    assert await world.advance(await world.parent(), a_call(1)) == ["x" * 100]
    world.blobs.stored.pop(ref.key)
    assert await world.advance(await world.parent(), a_call(1)) == ["x" * 100], "it is remembered"
    item = results_key("all")
    world.store.put_item("job_steps", {"job_id": job.life, "name": item}, None)
    with pytest.raises(StepMisused, match="the result of child 0 of all is gone: the result is not in the blob bucket"):
        await world.advance(await world.parent(), a_call(1))


async def test_results_that_are_too_large_together_are_read_each_time() -> None:
    world = World(spill_bytes=10_000_000)
    job = await world.begin()
    await world.advance(job, a_call(20))
    for place in range(20):
        text = JsonText('"' + "x" * (MAX_VALUE_BYTES // 20) + '"')
        await world.record(await world.end(await world.child(job, "all", place), Done(result=text)))
    got = await world.advance(await world.parent(), a_call(20))
    assert isinstance(got, list)
    assert len(got) == 20
    (marker,) = (step for step in await world.steps.remembered(job.life) if step.kind == RESULTS)
    assert (marker.value, marker.round, marker.failed) == (None, 0, None), "that it was told is remembered"
    child = await world.child(job, "all", 7)
    assert child is not None
    world.store._jobs.pop(child.id)
    with pytest.raises(StepMisused, match="the result of child 7 of all is gone: its job is not there any more"):
        await world.advance(await world.parent(), a_call(20))


async def test_a_parent_counts_for_itself_when_its_patience_ends() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(3))
    for place in range(2):
        await world.end(await world.child(job, "all", place), Fail(reason="no") if place else None)
    world.clock.forward(FIRST_LOOK)
    looked = await world.advance(job, a_call(3))
    assert looked == Later(WAITS.wait, NOW + 2 * FIRST_LOOK), "it has repaired the counts"
    assert await world.counts.counted(partition_of(job.life, "all", 0)) == {
        "00000": Tally(ended=frozenset({0, 1}), failed=frozenset({1}))
    }
    last = await world.end(await world.child(job, "all", 2))
    world.clock.forward(FIRST_LOOK)
    failed = await world.advance(job, a_call(3))
    assert isinstance(failed, ChildFailed)
    assert len(world.counts.calls) == 1, "of what has ended nothing is written"
    assert (failed.place, failed.code, failed.message) == (1, "failed", "no (1 of 3 failed)")
    assert str(failed) == f"child 1 of all ({child_id(job.life, 'all', 1)}): failed: no (1 of 3 failed)"
    assert len({failed, failed.args and ChildFailed(*failed.args)}) == 1
    before = await world.parent()
    assert await world.record(last) == ()
    assert await world.parent() == before, "what the parent has found itself wakes it no more"


async def test_an_end_between_counting_and_repairing_is_not_missed() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(2))
    await world.record(await world.end(await world.child(job, "all", 0)))
    child = await world.child(job, "all", 1)
    assert child is not None
    world.clock.forward(FIRST_LOOK)

    def end_it() -> None:
        world.counts.before_counted = lambda: None
        done = child.model_copy(update={"state": Cancelled(finished_at=NOW), "version": 9})
        world.store._jobs[child.id] = done
        place = {"job_id": partition_of(job.life, "all", 0), "name": "00000"}
        world.store.put_item("job_steps", place, {**place, "ended": [0, 1], "failed": [1]})

    def first() -> None:
        world.counts.before_counted = end_it

    world.counts.before_counted = first
    failed = await world.advance(job, a_call(2))
    assert isinstance(failed, ChildFailed)
    assert (failed.code, failed.message) == ("cancelled", "it was cancelled (1 of 2 failed)")


@pytest.mark.parametrize("since", ["runs again", "has succeeded"])
@pytest.mark.parametrize("last", ["counted", "lost"])
async def test_a_child_that_was_counted_as_failed_is_so_whatever_has_become_of_it(since: str, last: str) -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(2))
    failed = await world.end(await world.child(job, "all", 0), Fail(reason="no"))
    await world.record(failed)
    again = await world.store.replace(
        Change(legal(transitions.retry_manually(failed, world.policy, NOW))), failed.version
    )
    assert isinstance(again, Job)
    if since == "has succeeded":
        await world.end(again)
    await world.end(await world.child(job, "all", 1))
    if last == "counted":
        # The recorder died before it could tell the parent.
        await world.counts.add(partition_of(job.life, "all", 0), "00000", Tally(ended=frozenset({1})), MUCH_LATER)
        world.faults.next["states"] = [BROKEN]  # No child is read.
    world.clock.forward(FIRST_LOOK)
    told = await asyncio.wait_for(world.advance(job, a_call(2)), 5)
    assert isinstance(told, ChildFailed)
    assert (told.place, told.message) == (0, "it had failed when the last of the group ended (1 of 2 failed)")


async def test_a_thousand_of_which_one_was_retried_by_a_person_is_full() -> None:
    world = World()
    job = await world.begin()
    size = SET + 1
    await world.advance(job, a_call(size))
    failed = await world.end(await world.child(job, "all", 0), Fail(reason="no"))
    await world.record(failed)
    again = legal(transitions.retry_manually(failed, world.policy, NOW))
    assert isinstance(await world.store.replace(Change(again), failed.version), Job)
    for place in range(1, SET):
        await world.end(await world.child(job, "all", place))
    world.clock.forward(FIRST_LOOK)
    assert isinstance(await world.advance(job, a_call(size)), Later)
    await world.record(await world.end(await world.child(job, "all", SET)))
    assert (await world.parent()).rounds == 1


async def test_children_that_are_not_there_are_told_and_not_waited_for() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(2))
    await world.record(await world.end(await world.child(job, "all", 0)))
    world.store._jobs.pop(child_id(job.life, "all", 1))
    world.clock.forward(FIRST_LOOK)
    told = await world.advance(job, a_call(2, collect=True))
    missing = ChildFailed(
        "all", 1, child_id(job.life, "all", 1), "child_missing", "it is not there any more, or was never written"
    )
    assert told == [ONE, missing]
    assert told != [ONE, ONE]


async def test_a_child_that_was_counted_and_is_gone_is_told_as_missing() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(2))
    await world.record(*[await world.end(await world.child(job, "all", place)) for place in range(2)])
    gone = child_id(job.life, "all", 0)
    world.store._jobs.pop(gone)
    raised = await world.advance(await world.parent(), a_call(2))
    assert isinstance(raised, ChildFailed)
    assert (raised.place, raised.job_id, raised.code) == (0, gone, "child_missing")
    assert raised.message.endswith("(1 of 2 failed)")
    assert await world.advance(await world.parent(), a_call(2)) == raised
    missing = ChildFailed("all", 0, gone, "child_missing", "it is not there any more, or was never written")
    for _ in range(2):
        assert await world.advance(await world.parent(), a_call(2, collect=True)) == [missing, ONE]


async def test_the_patience_doubles_up_to_some_hours_and_ends_with_the_jobs_life() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(1))
    waits = []
    for _ in range(8):
        look_at = (await world.group(job)).look_at
        assert look_at is not None
        world.clock.now = look_at
        looked = await world.advance(job, a_call(1))
        assert isinstance(looked, Later)
        waits.append(looked.until - world.clock.now)
    assert waits == [timedelta(minutes=minutes) for minutes in (15, 30, 60, 120, 240, 240, 240, 240)]
    assert waits[-1] == LONGEST_LOOK
    world.clock.now = NOW + MAX_LIFE - LONGEST_LOOK
    assert await world.advance(job, a_call(1)) == Later(WAITS.wait, NOW + MAX_LIFE)
    world.clock.now = NOW + MAX_LIFE
    with pytest.raises(StepMisused, match="did not end in the 366 days that a job may wait"):
        await world.advance(job, a_call(1))


@pytest.mark.parametrize("kind", [CHILDREN, "rewrite", ENDED, RESULTS])
async def test_an_attempt_without_its_lease_learns_so(kind: str) -> None:
    world = World()
    job = await world.begin()
    if kind in {ENDED, RESULTS}:
        await world.advance(job, a_call(1))
        await world.end(await world.child(job, "all", 0))
        world.clock.forward(FIRST_LOOK)
    world.steps.ended_at = kind
    assert isinstance(await world.advance(job, a_call(1)), LeaseEnded)


async def test_a_lease_may_end_while_children_are_counted() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(1))
    world.clock.forward(FIRST_LOOK)
    world.steps.ended_at = "rewrite"
    assert isinstance(await world.advance(job, a_call(1)), LeaseEnded)


async def test_a_round_of_several_thousands_is_repaired_set_by_set() -> None:
    world = World()
    job = await world.begin()
    size = SET + 2
    await world.advance(job, a_call(size))
    for place in range(size - 1):
        await world.end(await world.child(job, "all", place))
    world.clock.forward(FIRST_LOOK)
    assert isinstance(await world.advance(job, a_call(size)), Later)
    sets = await world.counts.counted(partition_of(job.life, "all", 0))
    assert not isinstance(sets, StorageUnavailable)
    assert {key: len(tally.ended) for key, tally in sets.items()} == {"00000": SET, "00001": 1, "full": 1}
    world.clock.forward(FIRST_LOOK)
    world.counts.calls.clear()
    assert isinstance(await world.advance(job, a_call(size)), Later)
    assert world.counts.calls == [], "what is counted is not counted again"
    await world.record(await world.end(await world.child(job, "all", size - 1)))
    assert (await world.parent()).rounds == 1


@pytest.mark.parametrize("method", ["states", "counted", "add", "rewrite"])
async def test_what_the_store_does_not_answer_is_tried_again_and_then_left_to_another_attempt(method: str) -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(1))
    world.clock.forward(FIRST_LOOK)
    world.faults.next[method] = [BROKEN]
    if method == "add":
        await world.advance(job, a_call(1))
        world = World()
        job = await world.begin()
        await world.advance(job, a_call(2))
        await world.end(await world.child(job, "all", 0))
        world.clock.forward(FIRST_LOOK)
        world.faults.next[method] = [BROKEN]
    with pytest.raises(StepUnavailable):
        await world.advance(job, a_call(1))


async def test_reading_is_patient_while_there_is_time() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(1))
    await world.record(await world.end(await world.child(job, "all", 0)))
    world.faults.next["jobs"] = [BUSY]
    assert await world.advance(await world.parent(), a_call(1)) == [ONE]
    world.store.put_item("job_steps", {"job_id": job.life, "name": results_key("all")}, None)
    world.faults.next["jobs"] = [BUSY]
    with pytest.raises(StepUnavailable, match="out of reach: throttled, busy"):
        await world.advance(await world.parent(), a_call(1), NOW + PAUSE)
    world.faults.next["jobs"] = [BROKEN]
    with pytest.raises(StepUnavailable, match="out of reach: rejected, broken"):
        await world.advance(await world.parent(), a_call(1))


async def test_a_large_result_is_read_again_while_the_blobs_are_busy() -> None:
    world = World()
    faults = [BUSY]
    world.documents = Documents(FaultyBlobStore(world.blobs, lambda _: faults.pop() if faults else None), 20)
    job = await world.begin()
    await world.advance(job, a_call(1))
    child = await world.child(job, "all", 0)
    assert child is not None
    ref = await Documents(world.blobs, 20).keep(child.id, "result", world.new_id, JsonText('"' + "x" * 100 + '"'))
    assert isinstance(ref, BlobRef)
    await world.record(await world.end(child, Done(result=ref)))
    assert await world.advance(await world.parent(), a_call(1)) == ["x" * 100]
    assert faults == []


async def test_what_another_version_has_begun_is_refused() -> None:
    world = World()
    job = await world.begin()
    calls = world.calls(job)
    step = Step(job_id=job.life, name="all", kind=CHILDREN, attempt=1, began_at=NOW)
    with pytest.raises(StepMisused, match="begun by a version of Headrace"):
        await calls.advance(a_call(), step)


async def test_results_are_read_by_their_model() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(1))
    await world.record(await world.end(await world.child(job, "all", 0)))
    with pytest.raises(StepMisused, match="child 0 of all has is not of the declared model"):
        await world.advance(await world.parent(), a_call(1, returns=int))


async def test_a_type_that_hides_its_errors_hides_them_from_parents() -> None:
    world = World(Policy(expose_errors=False, runner="worker"))
    job = await world.begin()
    await world.advance(job, a_call(1))
    await world.record(await world.end(await world.child(job, "all", 0), Fail(reason="secret", code="broken")))
    failed = await world.advance(await world.parent(), a_call(1))
    assert isinstance(failed, ChildFailed)
    assert (failed.code, failed.message) == ("broken", "")


async def test_what_had_failed_when_the_group_ended_is_told_as_failed() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(1))
    ended = await world.end(await world.child(job, "all", 0), Fail(reason="no"))
    await world.record(ended)
    again = legal(transitions.retry_manually(ended, world.policy, world.clock()))
    assert isinstance(await world.store.replace(Change(again), ended.version), Job)
    failed = await world.advance(await world.parent(), a_call(1))
    assert isinstance(failed, ChildFailed)
    assert failed.message == "it had failed when the last of the group ended"


async def test_a_child_that_has_not_succeeded_any_more_is_as_one_that_is_gone() -> None:
    """Another job may have its id by now."""
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(1))
    child = await world.child(job, "all", 0)
    assert child is not None
    await world.record(await world.end(child))
    world.store._jobs[child.id] = child
    with pytest.raises(StepMisused, match="the result of child 0 of all is gone: its job is not there any more"):
        await world.advance(await world.parent(), a_call(1))


def test_a_childs_job_is_kept_for_as_long_as_its_parent_needs_it() -> None:

    child = queued().model_copy(update={"parent": deep(1).model_copy(update={"keep_seconds": 86400 * 60})})
    ended = finished(claimed(child), Done(result=JsonText("1")))
    assert ended.expires_at >= NOW + timedelta(days=60)
    assert finished(claimed(queued()), Done(result=JsonText("1"))).expires_at < NOW + POLICY.retention + timedelta(1)
