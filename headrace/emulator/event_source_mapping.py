"""The event source mapping: reads a table's stream and brings it to a function, batch by batch."""

from __future__ import annotations

import asyncio
import json
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

from botocore.exceptions import BotoCoreError, ClientError

from headrace.emulator.delivery import Discarded, Invoke, StreamRecord, deliver
from headrace.emulator.execution_environment import function_arn
from headrace.emulator.filtering import passes

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue
    from types_aiobotocore_dynamodbstreams.client import DynamoDBStreamsClient
    from types_aiobotocore_dynamodbstreams.type_defs import ShardTypeDef

    from headrace.emulator.template import EventSourceMapping

LANE_CAPACITY = 1000
MAX_RECORDS = 1000
"""Of one `GetRecords`: an answer with fewer of them has come to the end of the shard."""
DISCOVERY_SECONDS = 5
LOOK_SECONDS = 0.05
"""Between two looks at what waits in the lanes."""
OUTAGE_SECONDS = 1


class RawChange(TypedDict):
    """The part of a record that is read here."""

    SequenceNumber: str
    Keys: NotRequired[JsonValue]
    ApproximateCreationDateTime: NotRequired[float]


class RawRecord(TypedDict):
    """A record as DynamoDB Streams writes it on the wire; it has further members."""

    dynamodb: RawChange


class StreamPump:
    """Polls every shard of a stream, and feeds as many ordered lanes as the mapping's parallelization."""

    def __init__(
        self,
        client: DynamoDBStreamsClient,
        stream_arn: str,
        mapping: EventSourceMapping,
        invoke: Invoke,
        on_failure: Path,
        poll_seconds: float,
    ) -> None:
        self._client = client
        answered = "before-parse.dynamodb-streams.GetRecords"
        client.meta.events.register(answered, _leave_records_as_json, unique_id="records-as-json")
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

    async def drain(self, seconds: float) -> None:
        """Wait until what is in the stream now was delivered, at most `seconds`."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        # The poll under way may have begun before the last write; the one after it has not.
        enough = self._polls + 2
        while loop.time() < ends and (self._undelivered > 0 or self._polls < enough):  # noqa: ASYNC110 - two conditions
            await asyncio.sleep(self._poll_seconds / 2)

    async def _shards(self) -> list[ShardTypeDef]:
        try:
            answer = await self._client.describe_stream(StreamArn=self._stream_arn)
            shards = answer["StreamDescription"]["Shards"]
            while "LastEvaluatedShardId" in answer["StreamDescription"]:
                last = answer["StreamDescription"]["LastEvaluatedShardId"]
                answer = await self._client.describe_stream(StreamArn=self._stream_arn, ExclusiveStartShardId=last)
                shards = [*shards, *answer["StreamDescription"]["Shards"]]
        except (ClientError, BotoCoreError):
            return []
        return shards

    async def _pump_shard(self, shard: ShardTypeDef) -> None:
        """Read a shard from its beginning to its end, after its parent, so that order holds per item."""
        parent = self._done.get(shard.get("ParentShardId", ""))
        if parent is not None:
            await parent.wait()
        iterator: str | None = None
        last: str | None = None
        while True:
            try:
                iterator = iterator or await self._iterator(shard["ShardId"], last)
                answer = await self._client.get_records(ShardIterator=iterator)
            except ClientError as error:
                # Expired or trimmed: go on behind the last record, or from what the stream still has.
                last = None if error.response["Error"]["Code"] == "TrimmedDataAccessException" else last
                iterator = None
                await asyncio.sleep(OUTAGE_SECONDS)
                continue
            except BotoCoreError:
                iterator = None
                await asyncio.sleep(OUTAGE_SECONDS)
                continue
            for raw in cast("list[RawRecord]", answer["Records"]):
                last = raw["dynamodb"]["SequenceNumber"]
                if passes(self._mapping.patterns, cast("JsonValue", raw)):
                    record = _record(raw, self._stream_arn)
                    lane = zlib.crc32(record.key.encode()) % len(self._lanes)
                    self._undelivered += 1
                    await self._lanes[lane].put((shard["ShardId"], record))
            self._polls += 1
            iterator = answer.get("NextShardIterator")
            if iterator is None:
                self._done[shard["ShardId"]].set()
                return
            if len(answer["Records"]) < MAX_RECORDS:
                await asyncio.sleep(self._poll_seconds)
            while self._busy():  # noqa: ASYNC110 - any lane may be the first to end it
                await asyncio.sleep(LOOK_SECONDS)

    def _busy(self) -> bool:
        """Whether every lane has a batch waiting: reading on would only take the machine from the functions."""
        return all(lane.qsize() >= self._mapping.batch_size for lane in self._lanes)

    async def _iterator(self, shard_id: str, last: str | None) -> str:
        if last is None:
            answer = await self._client.get_shard_iterator(
                StreamArn=self._stream_arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
            )
        else:
            answer = await self._client.get_shard_iterator(
                StreamArn=self._stream_arn,
                ShardId=shard_id,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                SequenceNumber=last,
            )
        return answer["ShardIterator"]

    async def _deliver_lane(self, lane: asyncio.Queue[tuple[str, StreamRecord]]) -> None:
        while True:
            batch = await self._collect(lane)
            shard_id = batch[0][0]

            async def discard(discarded: Discarded, shard_id: str = shard_id) -> None:
                self._tell(discarded, shard_id)

            records = [record for _, record in batch]
            await deliver(records, self._mapping, self._invoke, discard, _now, asyncio.sleep)
            self._undelivered -= len(batch)

    async def _collect(self, lane: asyncio.Queue[tuple[str, StreamRecord]]) -> list[tuple[str, StreamRecord]]:
        """A batch: up to BatchSize records, waiting for more no longer than the batching window."""
        batch = [await lane.get()]
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._mapping.maximum_batching_window_in_seconds
        while len(batch) < self._mapping.batch_size:
            try:
                batch.append(lane.get_nowait())
            except asyncio.QueueEmpty:
                if loop.time() >= ends:
                    break
                await asyncio.sleep(min(LOOK_SECONDS, ends - loop.time()))
        return batch

    def _tell(self, discarded: Discarded, shard_id: str) -> None:
        """Write what AWS sends to an on-failure queue: where the records stand, never what they hold."""
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
    """Keep the SDK from parsing records, which takes most of this process's time.

    Lambda delivers them as DynamoDB Streams writes them, so nothing needs to be turned into Python's types and back.
    """
    try:
        answer = json.loads(response_dict["body"])
    except ValueError:
        return
    if isinstance(answer, dict) and "Records" in answer:
        customized_response_dict["Records"] = answer.pop("Records")
        response_dict["body"] = json.dumps(answer).encode()


def _record(raw: RawRecord, stream_arn: str) -> StreamRecord:
    """A record in the JSON that Lambda delivers."""
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
