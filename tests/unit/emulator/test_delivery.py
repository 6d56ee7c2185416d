"""Delivery of a batch to a function, whatever the function does."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from pydantic import JsonValue

from headrace.emulator.delivery import Discarded, StreamRecord, deliver
from headrace.emulator.execution_environment import FunctionFailed, Result, Returned
from headrace.emulator.template import EventSourceMapping
from headrace.testing.clock import FakeClock
from tests.factories import NOW

CRASH = FunctionFailed(error_type="Runtime.ExitError", message="signal 9")
SUCCESS = Returned(payload={"batchItemFailures": []})


def a_mapping(**settings: object) -> EventSourceMapping:
    defaults: dict[str, object] = {"maximum_retry_attempts": 2, "report_batch_item_failures": True}
    return EventSourceMapping.model_validate({"table": "T", "function": "F", **defaults, **settings})


def records(*numbers: int, age: timedelta = timedelta(0)) -> tuple[StreamRecord, ...]:
    return tuple(
        StreamRecord(sequence_number=str(number), key="k", created_at=NOW - age, body={"n": number})
        for number in numbers
    )


def failing(*numbers: int) -> Returned:
    return Returned(payload={"batchItemFailures": [{"itemIdentifier": str(number)} for number in numbers]})


class Delivery:
    """A delivery that records its invocations."""

    def __init__(self, answer: Callable[[list[int]], Result]) -> None:
        self.answer = answer
        self.clock = FakeClock()
        self.invocations: list[list[int]] = []
        self.discarded: list[Discarded] = []
        self.pauses: list[float] = []

    async def run(self, batch: Sequence[StreamRecord], mapping: EventSourceMapping) -> "Delivery":
        await asyncio.wait_for(deliver(batch, mapping, self._invoke, self._discard, self.clock, self._sleep), timeout=5)
        return self

    async def _invoke(self, event: JsonValue) -> Result:
        assert isinstance(event, dict)
        sent = event["Records"]
        assert isinstance(sent, list)
        numbers = [int(str(record["n"])) for record in sent if isinstance(record, dict)]
        self.invocations.append(numbers)
        return self.answer(numbers)

    async def _discard(self, discarded: Discarded) -> None:
        self.discarded.append(discarded)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.forward(timedelta(seconds=seconds))


def poisoned_by(poison: int) -> Callable[[list[int]], Result]:
    return lambda numbers: CRASH if poison in numbers else SUCCESS


@pytest.mark.parametrize("payload", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "", []])
async def test_a_null_or_empty_response_is_success(payload: JsonValue) -> None:
    done = await Delivery(lambda _: Returned(payload=payload)).run(records(1, 2, 3), a_mapping())
    assert done.invocations == [[1, 2, 3]]
    assert done.discarded == []


async def test_the_lowest_failure_is_the_checkpoint_from_which_everything_is_delivered_again() -> None:
    answers = iter([failing(4, 2), SUCCESS])
    done = await Delivery(lambda _: next(answers)).run(records(1, 2, 3, 4, 5), a_mapping())
    assert done.invocations == [[1, 2, 3, 4, 5], [2, 3, 4, 5]]


@pytest.mark.parametrize("named", [None, "", "unknown", 7])
async def test_a_wrong_identifier_fails_the_whole_batch(named: JsonValue) -> None:
    answers = iter([Returned(payload={"batchItemFailures": [{"itemIdentifier": named}]}), SUCCESS])
    done = await Delivery(lambda _: next(answers)).run(records(1, 2), a_mapping())
    assert done.invocations == [[1, 2], [1, 2]]


@pytest.mark.parametrize("entry", [{}, {"ItemIdentifier": "1"}, "1"])
async def test_a_misnamed_identifier_fails_the_whole_batch(entry: JsonValue) -> None:
    answers = iter([Returned(payload={"batchItemFailures": [entry]}), SUCCESS])
    done = await Delivery(lambda _: next(answers)).run(records(1, 2), a_mapping())
    assert done.invocations == [[1, 2], [1, 2]]


async def test_without_reporting_the_named_failures_are_ignored() -> None:
    done = await Delivery(lambda _: failing(1)).run(records(1, 2), a_mapping(report_batch_item_failures=False))
    assert done.invocations == [[1, 2]]


async def test_a_failed_batch_is_retried_as_often_as_allowed_and_then_discarded() -> None:
    done = await Delivery(lambda _: CRASH).run(records(1, 2), a_mapping(maximum_retry_attempts=2))
    assert done.invocations == [[1, 2]] * 3
    assert [each.condition for each in done.discarded] == ["RetryAttemptsExhausted"]
    assert done.discarded[0].invocations == 3
    assert len(done.discarded[0].records) == 2


async def test_zero_retries_discard_at_once() -> None:
    done = await Delivery(lambda _: CRASH).run(records(1), a_mapping(maximum_retry_attempts=0))
    assert done.invocations == [[1]]
    assert len(done.discarded) == 1


async def test_endless_retries_end_with_the_records_age() -> None:
    mapping = a_mapping(maximum_retry_attempts=-1, maximum_record_age_in_seconds=60)
    done = await Delivery(lambda _: CRASH).run(records(1), mapping)
    assert len(done.invocations) > 10
    assert [each.condition for each in done.discarded] == ["RecordAgeExceeded"]
    assert max(done.pauses) <= 5


async def test_records_that_are_too_old_are_discarded_and_the_others_delivered() -> None:
    batch = (*records(1, 2, age=timedelta(minutes=2)), *records(3))
    done = await Delivery(lambda _: SUCCESS).run(batch, a_mapping(maximum_record_age_in_seconds=60))
    assert done.invocations == [[3]]
    assert [record.sequence_number for record in done.discarded[0].records] == ["1", "2"]
    assert done.discarded[0].condition == "RecordAgeExceeded"


@pytest.mark.parametrize("poison", range(1, 9))
async def test_bisecting_isolates_a_poison_record_and_delivers_all_others_in_order(poison: int) -> None:
    mapping = a_mapping(bisect_batch_on_function_error=True, maximum_retry_attempts=2)
    done = await Delivery(poisoned_by(poison)).run(records(*range(1, 9)), mapping)
    delivered = [number for batch in done.invocations if poison not in batch for number in batch]
    assert delivered == [number for number in range(1, 9) if number != poison]
    assert [record.sequence_number for each in done.discarded for record in each.records] == [str(poison)]
    assert done.invocations.count([poison]) == 3, "splitting does not consume the retry quota"


async def test_bisecting_splits_at_the_checkpoint() -> None:
    answers = iter([failing(3), SUCCESS])
    mapping = a_mapping(bisect_batch_on_function_error=True)
    done = await Delivery(lambda _: next(answers)).run(records(1, 2, 3, 4), mapping)
    assert done.invocations == [[1, 2, 3, 4], [3, 4]]
    assert done.pauses == []


async def test_a_record_that_always_fails_is_reported_until_it_is_discarded_and_blocks_no_other() -> None:
    mapping = a_mapping(bisect_batch_on_function_error=True, maximum_retry_attempts=1)
    done = await Delivery(lambda numbers: failing(2) if 2 in numbers else SUCCESS).run(records(1, 2, 3), mapping)
    assert [record.sequence_number for each in done.discarded for record in each.records] == ["2"]
    assert [3] in done.invocations


@pytest.mark.parametrize(
    "payload",
    [
        {"batchItemFailures": {}}, {"batchItemFailures": "1"}, {"batchItemFailures": 1}, {"batchItemFailures": False},
        {"batchItemFailures": [{"itemIdentifier": 1}]}, {"batchItemFailures": [{"itemIdentifier": ["1"]}]},
        {"batchItemFailures": [None]}, {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": ""}]},
        "done", ["1"], 0, True,
    ],
)  # fmt: skip
async def test_an_invalid_report_fails_the_whole_batch(payload: JsonValue) -> None:
    answers = iter([Returned(payload=payload), SUCCESS])
    done = await Delivery(lambda _: next(answers)).run(records(1, 2), a_mapping())
    assert done.invocations == [[1, 2], [1, 2]]


@pytest.mark.parametrize("payload", ["done", 7, {"batchItemFailures": 1}, ["x"]])
async def test_without_reporting_every_response_is_success(payload: JsonValue) -> None:
    mapping = a_mapping(report_batch_item_failures=False)
    done = await Delivery(lambda _: Returned(payload=payload)).run(records(1, 2), mapping)
    assert done.invocations == [[1, 2]]


async def test_a_failure_named_twice_counts_once_and_further_members_are_ignored() -> None:
    report: JsonValue = {"batchItemFailures": [{"itemIdentifier": "2", "x": 1}, {"itemIdentifier": "2"}], "y": 2}
    answers = iter([Returned(payload=report), SUCCESS])
    done = await Delivery(lambda _: next(answers)).run(records(1, 2, 3), a_mapping())
    assert done.invocations == [[1, 2, 3], [2, 3]]


@pytest.mark.parametrize("payload", [{"statusCode": 200}, {"batchItemFailures": None, "x": 1}])
async def test_a_report_that_names_no_failure_is_success(payload: JsonValue) -> None:
    done = await Delivery(lambda _: Returned(payload=payload)).run(records(1), a_mapping())
    assert done.invocations == [[1]]
