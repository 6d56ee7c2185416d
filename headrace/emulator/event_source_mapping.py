"""The event source mapping: polls a table's stream and invokes a function with batches of its records."""

from __future__ import annotations

import asyncio
import json
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

from botocore.exceptions import BotoCoreError, ClientError

from headrace.emulator.delivery import Discarded, Invoke, StreamRecord, deliver
from headrace.emulator.execution_environment import Result, function_arn
from headrace.emulator.filtering import passes

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue
    from types_aiobotocore_dynamodbstreams.client import DynamoDBStreamsClient
    from types_aiobotocore_dynamodbstreams.type_defs import ShardTypeDef

    from headrace.emulator.template import EventSourceMapping

LANE_CAPACITY = 1000
MAX_RECORDS = 1000
"""The most that one `GetRecords` returns; a response with fewer has reached the end of the shard."""
DISCOVERY_SECONDS = 5
LANE_POLL_SECONDS = 0.05
"""How often the lanes' queues are checked."""
OUTAGE_SECONDS = 1
"""Pause after a failed call to the stream."""
IDLE_AFTER_SECONDS = 2.0
IDLE_POLL_SECONDS = 0.25
"""Between two reads of a stream in which nothing has happened for so long."""


class RawChange(TypedDict):
    """The members of a stream record's `dynamodb` that this module reads."""

    SequenceNumber: str
    Keys: NotRequired[JsonValue]
    ApproximateCreationDateTime: NotRequired[float]


class RawRecord(TypedDict):
    """A record in the wire format of DynamoDB Streams; other members are passed through."""

    dynamodb: RawChange


class StreamPump:
    """Polls every shard of a stream and delivers its records through `ParallelizationFactor` ordered lanes.

    `concurrency` is how many invocations the function can run at once: of more lanes, those with records take turns,
    and what arrives while a lane waits for its turn goes with its batch.
    """

    def __init__(
        self,
        client: DynamoDBStreamsClient,
        stream_arn: str,
        mapping: EventSourceMapping,
        invoke: Invoke,
        on_failure: Path,
        poll_seconds: float,
        concurrency: int,
    ) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(concurrency)
        hook = "before-parse.dynamodb-streams.GetRecords"
        client.meta.events.register(hook, _leave_records_as_json, unique_id="records-as-json")
        self._stream_arn = stream_arn
        self._mapping = mapping
        self._invoke = invoke
        self._on_failure = on_failure
        self._poll_seconds = poll_seconds
        lanes = range(mapping.parallelization_factor)
        self._lanes: tuple[asyncio.Queue[tuple[str, StreamRecord]], ...] = tuple(
            asyncio.Queue(LANE_CAPACITY) for _ in lanes
        )
        self._done: dict[str, asyncio.Event] = {}
        self._polls = 0
        self._undelivered = 0
        self._idle_from = 0.0
        self._hurried = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(self._deliver_lane(lane))
            while True:
                for shard in await self._shards():
                    if shard["ShardId"] not in self._done:
                        self._done[shard["ShardId"]] = asyncio.Event()
                        group.create_task(self._pump_shard(shard))
                await asyncio.sleep(DISCOVERY_SECONDS)

    def hurry(self) -> None:
        """Read the stream at once, and often for a while: something has run that may have written to the table."""
        self._idle_from = asyncio.get_running_loop().time() + IDLE_AFTER_SECONDS
        self._hurried.set()

    async def drain(self, seconds: float) -> bool:
        """Wait until everything now in the stream has been delivered, for at most `seconds`; False when it was not."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        # The poll in progress may have started before the last write, so wait for the one after it too.
        enough = self._polls + 2
        while loop.time() < ends and (self._undelivered > 0 or self._polls < enough):
            self.hurry()
            await asyncio.sleep(self._poll_seconds / 2)
        return self._undelivered == 0 and self._polls >= enough

    async def _shards(self) -> list[ShardTypeDef]:
        try:
            page = await self._client.describe_stream(StreamArn=self._stream_arn)
            shards = page["StreamDescription"]["Shards"]
            while "LastEvaluatedShardId" in page["StreamDescription"]:
                last = page["StreamDescription"]["LastEvaluatedShardId"]
                page = await self._client.describe_stream(StreamArn=self._stream_arn, ExclusiveStartShardId=last)
                shards = [*shards, *page["StreamDescription"]["Shards"]]
        except (ClientError, BotoCoreError):
            return []
        return shards

    async def _pump_shard(self, shard: ShardTypeDef) -> None:
        """Read a shard from beginning to end, once its parent has been read, so that each item's order is kept."""
        parent = self._done.get(shard.get("ParentShardId", ""))
        if parent is not None:
            await parent.wait()
        iterator: str | None = None
        last: str | None = None
        while True:
            try:
                iterator = iterator or await self._iterator(shard["ShardId"], last)
                page = await self._client.get_records(ShardIterator=iterator)
            except ClientError as error:
                # An expired iterator resumes after the last record; after trimming, restart at the oldest record kept.
                last = None if error.response["Error"]["Code"] == "TrimmedDataAccessException" else last
                iterator = None
                await asyncio.sleep(OUTAGE_SECONDS)
                continue
            except BotoCoreError:
                iterator = None
                await asyncio.sleep(OUTAGE_SECONDS)
                continue
            for raw in cast("list[RawRecord]", page["Records"]):
                last = raw["dynamodb"]["SequenceNumber"]
                if passes(self._mapping.patterns, cast("JsonValue", raw)):
                    record = _record(raw, self._stream_arn)
                    lane = zlib.crc32(record.key.encode()) % len(self._lanes)
                    self._undelivered += 1
                    await self._lanes[lane].put((shard["ShardId"], record))
            self._polls += 1
            iterator = page.get("NextShardIterator")
            if iterator is None:
                self._done[shard["ShardId"]].set()
                return
            if page["Records"]:
                self.hurry()
            if len(page["Records"]) < MAX_RECORDS:
                await self._pause()
            while self._busy():  # noqa: ASYNC110 - any lane may be the first with room
                await asyncio.sleep(LANE_POLL_SECONDS)

    async def _pause(self) -> None:
        """Wait before the next read: longer in an idle stack, which else would take a tenth of a CPU."""
        if asyncio.get_running_loop().time() < self._idle_from:
            await asyncio.sleep(self._poll_seconds)
            return
        self._hurried.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(self._poll_seconds, IDLE_POLL_SECONDS)):
                await self._hurried.wait()

    def _busy(self) -> bool:
        """Whether every lane has a full batch waiting; reading more would only take CPU from the functions."""
        return all(lane.qsize() >= self._mapping.batch_size for lane in self._lanes)

    async def _iterator(self, shard_id: str, last: str | None) -> str:
        if last is None:
            response = await self._client.get_shard_iterator(
                StreamArn=self._stream_arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
            )
        else:
            response = await self._client.get_shard_iterator(
                StreamArn=self._stream_arn,
                ShardId=shard_id,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                SequenceNumber=last,
            )
        return response["ShardIterator"]

    async def _deliver_lane(self, lane: asyncio.Queue[tuple[str, StreamRecord]]) -> None:
        while True:
            batch = await self._collect(lane)
            await self._turns.acquire()
            batch += self._waiting(lane, self._mapping.batch_size - len(batch))
            shard_id, turn = batch[0][0], [self._turns]

            async def discard(discarded: Discarded, shard_id: str = shard_id) -> None:
                self._report(discarded, shard_id)

            async def invoke(event: JsonValue, turn: list[asyncio.Semaphore] = turn) -> Result:
                try:
                    return await self._invoke(event)
                finally:
                    # With the first invocation: a batch that is tried again and again holds nobody up.
                    if turn:
                        turn.pop().release()

            records = [record for _, record in batch]
            try:
                await deliver(records, self._mapping, invoke, discard, _now, asyncio.sleep)
            finally:
                if turn:
                    turn.pop().release()
            self._undelivered -= len(batch)

    def _waiting(self, lane: asyncio.Queue[tuple[str, StreamRecord]], most: int) -> list[tuple[str, StreamRecord]]:
        """Records that wait in the lane."""
        return [lane.get_nowait() for _ in range(min(most, lane.qsize()))]

    async def _collect(self, lane: asyncio.Queue[tuple[str, StreamRecord]]) -> list[tuple[str, StreamRecord]]:
        """Return the next batch: up to `BatchSize` records, collected for at most the batching window."""
        batch = [await lane.get()]
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._mapping.maximum_batching_window_in_seconds
        while len(batch) < self._mapping.batch_size:
            try:
                batch.append(lane.get_nowait())
            except asyncio.QueueEmpty:
                if loop.time() >= ends:
                    break
                await asyncio.sleep(min(LANE_POLL_SECONDS, ends - loop.time()))
        return batch

    def _report(self, discarded: Discarded, shard_id: str) -> None:
        """Write the message that AWS sends to an on-failure queue: the records' positions, never their contents."""
        first, last = discarded.records[0], discarded.records[-1]
        message = {
            "requestContext": {
                "functionArn": function_arn(self._mapping.function),
                "condition": discarded.condition,
                "approximateInvokeCount": discarded.invocations,
            },
            "version": "1.0",
            "timestamp": _now().isoformat(),
            "DDBStreamBatchInfo": {
                "shardId": shard_id,
                "startSequenceNumber": first.sequence_number,
                "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": first.created_at.isoformat(),
                "approximateArrivalOfLastRecord": last.created_at.isoformat(),
                "batchSize": len(discarded.records),
                "streamArn": self._stream_arn,
            },
        }
        with self._on_failure.open("a") as file:
            file.write(json.dumps(message) + "\n")


def _leave_records_as_json(
    response_dict: dict[str, bytes], customized_response_dict: dict[str, object], **_: object
) -> None:
    """Keep the SDK from parsing records, which would take most of this process's time.

    Lambda delivers records in the wire format of DynamoDB Streams, so they need no conversion to Python types and back.
    """
    try:
        response = json.loads(response_dict["body"])
    except ValueError:
        return
    if isinstance(response, dict) and "Records" in response:
        customized_response_dict["Records"] = response.pop("Records")
        response_dict["body"] = json.dumps(response).encode()


def _record(raw: RawRecord, stream_arn: str) -> StreamRecord:
    """Convert a record to the JSON that Lambda delivers."""
    change = raw["dynamodb"]
    created = change.get("ApproximateCreationDateTime")
    return StreamRecord(
        sequence_number=change["SequenceNumber"],
        key=json.dumps(change.get("Keys", {}), sort_keys=True),
        created_at=_now() if created is None else datetime.fromtimestamp(created, UTC),
        body=cast("dict[str, JsonValue]", {**raw, "eventSourceARN": stream_arn}),
    )


def _now() -> datetime:
    return datetime.now(UTC)
