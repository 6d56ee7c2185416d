"""The wake queue's messages for schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from domain.results import StorageUnavailable
from domain.schedules.tick_queue import TickWake
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.sqs.wake_queue import BATCH, delay_seconds_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from persistence.sqs.wake_queue import QueueSource


class SqsTickQueue:
    """The `TickQueue` on the wake queue's URL; without one (as in `sam local`) nothing is sent."""

    def __init__(self, client: QueueSource, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    async def send(self, ticks: Sequence[TickWake], now: datetime) -> StorageUnavailable | None:
        if not self._queue_url:
            return StorageUnavailable(reason="rejected", detail="there is no wake queue")
        batches = (ticks[start : start + BATCH] for start in range(0, len(ticks), BATCH))
        problems = [problem for batch in batches if (problem := await self._send(batch, now)) is not None]
        return problems[0] if problems else None

    async def _send(self, batch: Sequence[TickWake], now: datetime) -> StorageUnavailable | None:
        try:
            answer = await (await self._client()).send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {
                        "Id": str(number),
                        "MessageBody": tick.model_dump_json(),
                        "DelaySeconds": delay_seconds_until(tick.due, now),
                    }
                    for number, tick in enumerate(batch)
                ],
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        failed = answer.get("Failed", [])
        return StorageUnavailable(reason="server", detail=failed[0]["Code"]) if failed else None


def tick_of(body: object) -> TickWake | None:
    """What a message says of a schedule; None if it is about something else."""
    # Cheap, and enough: a message for a job has no such member.
    if not isinstance(body, str) or '"schedule_id"' not in body:
        return None
    try:
        return TickWake.model_validate_json(body)
    except ValidationError:
        return None
