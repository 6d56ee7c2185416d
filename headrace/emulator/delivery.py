"""How an event source mapping brings one batch of stream records to a function, whatever happens.

The rules are those of the Lambda Developer Guide ("Using Lambda with DynamoDB", error handling and
partial batch responses):

- A null or empty response is success. With `ReportBatchItemFailures`, the lowest sequence number named
  becomes the checkpoint: it and all after it come again. An identifier that is empty or of no record of
  the batch fails the whole batch. So does, here, an answer of any other form, of which the guide says nothing.
- `BisectBatchOnFunctionError` splits a failed batch in two, at the checkpoint where there is one; splitting
  does not consume the retry quota.
- After `MaximumRetryAttempts` retries, or beyond `MaximumRecordAgeInSeconds`, records are discarded, and the
  on-failure destination is told where they stand in the stream.
- Nothing of a lane overtakes what was before it.
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
    """What order holds for: the item's key."""
    created_at: datetime
    body: dict[str, JsonValue]


class Discarded(Frozen):
    """Records that were given up."""

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
    """Bring `batch` to the function, until each record was processed or discarded."""
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
    """The records that may still be sent; the others are discarded."""
    if mapping.maximum_record_age_in_seconds < 0:
        return records
    oldest = clock() - timedelta(seconds=mapping.maximum_record_age_in_seconds)
    expired = tuple(record for record in records if record.created_at < oldest)
    if expired:
        await discard(Discarded(condition="RecordAgeExceeded", records=expired, invocations=retries))
    return tuple(record for record in records if record.created_at >= oldest)


def _checkpoint(records: tuple[StreamRecord, ...], result: Result, mapping: EventSourceMapping) -> int:
    """How many records, from the first, need not come again."""
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
