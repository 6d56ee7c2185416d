"""The recorder sends one message for each job of a batch that soon falls due."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from pydantic import JsonValue

from domain.children.ids import SET
from domain.jobs.catalogue import Catalogue
from domain.jobs.dispatch import Dispatcher
from domain.jobs.job import Job
from domain.jobs.wake_queue import LONGEST_DELAY, Unsent, Wake, WakeQueue
from domain.stats.buckets import Leaf, LeafKey
from domain.stats.recording import Counted, StatsRecorder
from domain.webhooks.event_bus import BusEvent, Unpublished
from domain.webhooks.telling import Teller
from functions.recorder.endpoints import FRESH, KnownEndpoints
from functions.recorder.recording import Recorded, Telling, record_changes
from headrace.authoring.job_type import STANDARD, WORKER, Policy
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.wake_queue import FakeWakeQueue
from persistence.converters.dynamo_to_domain import job_to_item
from scripts.generate import stream_record
from tests.factories import NOW, cancelled, in_every_state, queued, retrying, scheduled, succeeded
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler
from tests.fakes.stats_repository import FakeStatsRepository
from tests.fakes.webhook_repository import FakeEndpointRepository
from tests.unit.children.parts import BROKEN, BUSY, World, a_call
from tests.unit.webhooks.parts import TELL_OF, FaultyEndpoints, Unreachable, a_teller, an_endpoint

SECOND = timedelta(seconds=1)


def changed(job: Job, number: int = 1) -> dict[str, JsonValue]:
    image: dict[str, JsonValue] = json.loads(json.dumps(job_to_item(job, "w")))
    return stream_record(str(number), "MODIFY", job.id, new=image)


def sequence_number(number: int) -> str:
    return f"10000000000000000000{number}"


async def record(records: Sequence[object], wakes: WakeQueue, now: datetime) -> Recorded:
    """With `wakes` as the wake queue, and no job type that is known here."""
    return await record_changes(records, Dispatcher(Catalogue(()), {WORKER: wakes}, FakeClock()), now)


class Half:
    """A wake queue that takes every second message."""

    async def send(self, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        del now
        return tuple(Unsent(wake=wake, problem=OUTAGE) for wake in wakes[1::2])


async def test_what_is_due_within_fifteen_minutes_is_sent_and_the_rest_is_left_to_the_sweep() -> None:
    soon = [scheduled(run_at=NOW + delay, id=f"soon-{delay}") for delay in (SECOND, LONGEST_DELAY)]
    later, again = scheduled(run_at=NOW + LONGEST_DELAY + SECOND, id="later"), retrying(NOW, id="again")
    wakes = FakeWakeQueue()
    recorded = await record([changed(job) for job in (*soon, later, again)], wakes, NOW)
    assert [(wake.job_id, wake.due) for wake in wakes.waiting] == [(job.id, job.wake_at) for job in (*soon, again)]
    assert (recorded.sent, recorded.unsent, recorded.undecodable, recorded.failures) == (3, (), (), ())


@pytest.mark.parametrize("job", [each for each in in_every_state() if each.status not in {"scheduled", "retrying"}])
async def test_other_changes_ask_for_nothing(job: Job) -> None:
    wakes = FakeWakeQueue()
    assert (await record([changed(job)], wakes, NOW)).sent == 0
    assert wakes.waiting == ()


async def test_of_several_changes_of_a_job_the_last_counts() -> None:
    wait = scheduled(run_at=NOW + SECOND, id="1")
    wakes = FakeWakeQueue()
    recorded = await record([changed(wait, 1), changed(cancelled(id="1"), 2)], wakes, NOW)
    assert (recorded.sent, wakes.waiting) == (0, ())
    await record([changed(queued(id="1"), 1), changed(wait, 2), changed(wait, 3)], wakes, NOW)
    assert len(wakes.waiting) == 1


async def test_the_records_of_messages_that_were_not_taken_are_handed_back() -> None:
    jobs = [scheduled(run_at=NOW + SECOND, id=str(number)) for number in range(1, 5)]
    recorded = await record([changed(job, int(job.id)) for job in jobs], Half(), NOW)
    assert recorded.sent == 2
    assert recorded.failures == (sequence_number(2), sequence_number(4))
    assert {each.problem for each in recorded.unsent} == {OUTAGE}


async def test_a_record_that_cannot_be_decoded_is_reported_and_the_others_are_sent() -> None:
    broken = stream_record("1", "MODIFY", "x", new={"id": {"S": "x"}, "status": {"S": "scheduled"}})
    wakes = FakeWakeQueue()
    recorded = await record([broken, "rubbish", changed(retrying(NOW), 2)], wakes, NOW)
    assert len(recorded.undecodable) == 2
    assert (recorded.sent, recorded.failures) == (1, ())


async def test_the_message_of_a_runners_job_goes_to_the_runners_queue() -> None:
    wakes, standard = FakeWakeQueue(), FakeWakeQueue()
    known = Catalogue([a_handler(name="csv.profile", policy=Policy(runner=STANDARD))])
    dispatcher = Dispatcher(known, {WORKER: wakes, STANDARD: standard}, FakeClock())
    await record_changes([changed(retrying(NOW, id="1", type="csv.profile"))], dispatcher, NOW)
    assert (wakes.waiting, [wake.job_id for wake in standard.waiting]) == ((), ["1"])


# ---- what others are told -----------------------------------------------------------------------------

LATER = NOW + 15 * SECOND
NOBODY_WAITS = Dispatcher(Catalogue(()), {WORKER: FakeWakeQueue()}, FakeClock())


class Bus:
    """An event bus that refuses the events of some jobs."""

    def __init__(self, *refused: str) -> None:
        self._refused = refused
        self.events: tuple[BusEvent, ...] = ()

    async def publish(self, events: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        self.events += tuple(event for event in events if event.job_id not in self._refused)
        return tuple(Unpublished(event=event, problem=OUTAGE) for event in events if event.job_id in self._refused)


async def test_each_change_is_told_not_only_the_last() -> None:
    jobs, every = FakeJobRepository(), an_endpoint(statuses=("retrying", "succeeded"))
    again, done = retrying(NOW, id="1"), succeeded(id="1").model_copy(update={"version": 9})
    telling = Telling(a_teller(jobs, every), TELL_OF)
    recorded = await record_changes([changed(again, 1), changed(done, 2)], NOBODY_WAITS, NOW, telling, LATER)
    assert (recorded.told.made, recorded.failures, recorded.sent) == (2, (), 0)


async def test_changes_that_were_not_told_are_handed_back() -> None:
    down = FaultyJobRepository(FakeJobRepository(), on_add=lambda: OUTAGE)
    telling = Telling(a_teller(down, an_endpoint()), TELL_OF)
    records = [changed(queued(id="1"), 1), changed(succeeded(id="2"), 2), changed(scheduled(id="3"), 3)]
    recorded = await record_changes(records, NOBODY_WAITS, NOW, telling, LATER)
    assert recorded.failures == (sequence_number(2),)
    assert [each.problem for each in recorded.told.not_made] == [OUTAGE]


async def test_events_that_the_bus_refused_are_handed_back() -> None:
    bus = Bus("2")
    telling = Telling(a_teller(FakeJobRepository()), TELL_OF, bus)
    records = [changed(succeeded(id="1"), 1), changed(cancelled(id="2"), 2), changed(retrying(NOW, id="3"), 3)]
    recorded = await record_changes(records, NOBODY_WAITS, NOW, telling, LATER)
    assert [event.type for event in bus.events] == ["job.succeeded"]
    assert recorded.failures == (sequence_number(2),)


async def test_changes_of_deliveries_read_no_endpoints() -> None:
    telling = Telling(Teller(FakeJobRepository(), Unreachable(), TELL_OF, FakeClock()), TELL_OF)
    records = [changed(retrying(NOW, type="webhook.deliver"), 1), changed(queued(), 2)]
    assert (await record_changes(records, NOBODY_WAITS, NOW, telling, LATER)).failures == ()


async def test_a_change_that_only_a_newer_version_reads_is_named() -> None:
    newer = stream_record("1", "MODIFY", "1", new={"id": {"S": "1"}, "schema": {"N": "99"}})
    telling = Telling(a_teller(FakeJobRepository()), TELL_OF)
    recorded = await record_changes([newer], NOBODY_WAITS, NOW, telling, LATER)
    assert ([each.job_id for each in recorded.newer], recorded.failures) == (["1"], ())


async def test_endpoints_are_read_again_after_half_a_minute_and_not_before() -> None:
    endpoints = FakeEndpointRepository()
    known = KnownEndpoints(endpoints)
    assert await known.current(NOW) == ()
    await endpoints.add(an_endpoint())
    assert await known.current(NOW + FRESH - SECOND) == ()
    assert await known.current(NOW + FRESH) == (an_endpoint(),)
    assert endpoints.lists == 2
    down = KnownEndpoints(FaultyEndpoints(on_all=lambda: OUTAGE))
    assert await down.current(NOW) == OUTAGE


class Unreadable(FakeStatsRepository):
    """Statistics that cannot be read for a while."""

    broken = True

    async def leaf(self, key: LeafKey) -> Leaf:
        return OUTAGE if self.broken else await super().leaf(key)  # type: ignore[return-value]  # the fake never fails


async def test_what_ends_is_counted_and_handed_back_where_it_was_not() -> None:
    stats, clock = Unreadable(), FakeClock()
    recorder = StatsRecorder(stats, clock, lambda: "token")
    dispatcher = Dispatcher(Catalogue(()), {WORKER: FakeWakeQueue()}, clock)
    records = [changed(succeeded(id="1"), 1), changed(queued(id="2"), 2), changed(cancelled(id="3"), 3)]
    first = await record_changes(records, dispatcher, NOW, deadline=NOW + SECOND, stats=recorder)
    assert first.failures == (sequence_number(1), sequence_number(3))
    assert sum(len(each.facts) for each in first.counted.not_counted) == 2
    stats.broken = False
    for _ in range(2):
        again = await record_changes(records, dispatcher, NOW, deadline=NOW + SECOND, stats=recorder)
        assert (again.failures, again.counted) == ((), Counted())
    assert sum(leaf.whole.counted for leaf in stats.stored_leaves.values()) == 2


async def test_ends_of_children_are_handed_back_unless_they_are_refused_each_time() -> None:
    world = World()
    await world.advance(await world.begin(), a_call(SET + 1))
    parent = await world.parent()
    ends = [await world.end(await world.child(parent, "all", place)) for place in (0, SET)]
    records = [changed(end, number) for number, end in enumerate(ends, 1)]
    world.faults.next["add"] = [BROKEN, BUSY]
    late = NOW + SECOND
    recorded = await record_changes(records, NOBODY_WAITS, NOW, deadline=late, children=world.recorder)
    assert recorded.failures == (sequence_number(2),)
    assert [(each.jobs[0][0], each.is_lost) for each in recorded.children] == [(ends[0].id, True), (ends[1].id, False)]


async def test_what_does_not_end_is_not_counted() -> None:
    stats = FakeStatsRepository()
    recorder = StatsRecorder(stats, FakeClock(), lambda: "token")
    dispatcher = Dispatcher(Catalogue(()), {WORKER: FakeWakeQueue()}, FakeClock())
    await record_changes([changed(queued())], dispatcher, NOW, deadline=NOW + SECOND, stats=recorder)
    assert (stats.items_read, stats.stored_leaves) == (0, {})
