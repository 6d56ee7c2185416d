"""Delivers one batch of stream records to a function, with retries, bisection and discarding, as Lambda does.

The rules are those of the Lambda Developer Guide ("Using Lambda with DynamoDB", error handling and
partial batch responses):

- A null or empty response is success. With `ReportBatchItemFailures`, the lowest sequence number reported
  becomes the checkpoint: this record and all later ones are delivered again. An identifier that is empty or
  not of this batch fails the whole batch. So does a response of any other form, on which the guide is silent.
- `BisectBatchOnFunctionError` splits a failed batch in two, at the checkpoint if there is one; splitting
  does not consume the retry quota.
- After `MaximumRetryAttempts` retries, or beyond `MaximumRecordAgeInSeconds`, records are discarded, and their
  positions in the stream are sent to the on-failure destination.
- Records of a lane are delivered in order: a later one never overtakes an earlier one.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import JsonValue

from domain.ports import Clock
from headrace.authoring.frozen import Frozen
from headrace.emulator.execution_environment import FunctionFailed, Result
from headrace.emulator.template import EventSourceMapping

MAX_BACKOFF_SECONDS = 5.0

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


class StreamRecord(Frozen):
    """A stream record in the form that Lambda delivers."""

    sequence_number: str
    key: str
    """The item's key; order is kept per key."""
    created_at: datetime
    body: dict[str, JsonValue]


class Discarded(Frozen):
    """Records that will not be delivered any more, and why."""

    condition: Condition
    records: tuple[StreamRecord, ...]
    invocations: int


Invoke = Callable[[JsonValue], Awaitable[Result]]
Discard = Callable[[Discarded], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


async def deliver(
    batch: Sequence[StreamRecord],
    mapping: EventSourceMapping,
    invoke: Invoke,
    discard: Discard,
    clock: Clock,
    sleep: Sleep,
) -> None:
    """Invoke the function with `batch`, repeatedly, until each record has been processed or discarded."""
    pending = deque([(tuple(batch), 0)])
    while pending:
        waiting, retries = pending.popleft()
        records = await _young_enough(waiting, retries, mapping, discard, clock)
        if not records:
            continue
        result = await invoke({"Records": [record.body for record in records]})
        done = _checkpoint(records, result, mapping)
        failed = records[done:]
        if not failed:
            continue
        if mapping.bisect_batch_on_function_error and len(records) > 1:
            middle = len(failed) // 2 if done == 0 else 0
            halves = (failed[:middle], failed[middle:])
            pending.extendleft((half, retries) for half in reversed(halves) if half)
        elif 0 <= mapping.maximum_retry_attempts <= retries:
            await discard(Discarded(condition="RetryAttemptsExhausted", records=failed, invocations=retries + 1))
        else:
            await sleep(min(0.1 * 2**retries, MAX_BACKOFF_SECONDS))
            pending.appendleft((failed, retries + 1))


async def _young_enough(
    records: tuple[StreamRecord, ...], retries: int, mapping: EventSourceMapping, discard: Discard, clock: Clock
) -> tuple[StreamRecord, ...]:
    """Return the records within the maximum age; discard the others."""
    if mapping.maximum_record_age_in_seconds < 0:
        return records
    oldest = clock() - timedelta(seconds=mapping.maximum_record_age_in_seconds)
    expired = tuple(record for record in records if record.created_at < oldest)
    if expired:
        await discard(Discarded(condition="RecordAgeExceeded", records=expired, invocations=retries))
    return tuple(record for record in records if record.created_at >= oldest)


def _checkpoint(records: tuple[StreamRecord, ...], result: Result, mapping: EventSourceMapping) -> int:
    """How many records, counted from the first, need not be delivered again."""
    if isinstance(result, FunctionFailed):
        return 0
    if not mapping.report_batch_item_failures:
        return len(records)
    match result.payload:
        case {"batchItemFailures": list(failures)}:
            numbers = [record.sequence_number for record in records]
            named = [entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in failures]
            if any(name not in numbers for name in named):
                return 0
            return min((numbers.index(str(name)) for name in named), default=len(records))
        case {"batchItemFailures": failures} if failures is not None:
            return 0
        case None | dict() | "" | []:
            return len(records)
        case _:
            return 0
