"""Events on MiniStack's EventBridge: a rule of the bus brings them to a queue."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError
from jsonschema import Draft202012Validator, FormatChecker

from domain.webhooks.event import JobEvent
from domain.webhooks.event_bus import bus_events
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import embedded_database
from persistence.dynamodb.client import CONFIG, session_for
from persistence.eventbridge.event_bus import EventBridgeBus, EventsClient, open_events_client
from persistence.sqs.wake_queue import open_queue_client
from tests.factories import cancelled, failed, retrying, succeeded
from tests.unit.webhooks.parts import TELL_OF

BUS = "told"
PUBLISHED = Draft202012Validator(
    json.loads((ROOT / "events/schemas/job_event.json").read_text()), format_checker=FormatChecker()
)


@pytest.fixture(scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """MiniStack with EventBridge and queues."""
    folder: Path = tmp_path_factory.mktemp("events")
    async with embedded_database(None, folder / "database.log", {"SERVICES": "events,sqs"}) as database:
        yield database.url


async def test_final_states_reach_the_target_of_a_rule(url: str) -> None:
    session, address = session_for(url)
    jobs = [*(succeeded(id=f"job-{number}") for number in range(12)), failed(id="f"), cancelled(id="c"), retrying()]
    async with (
        session.client("events", endpoint_url=address, config=CONFIG) as rules,
        open_queue_client(url) as queues,
        open_events_client(url) as client,
    ):
        await rules.create_event_bus(Name=BUS)
        queue = (await queues.create_queue(QueueName="events"))["QueueUrl"]
        arn = (await queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"]))["Attributes"]["QueueArn"]
        await rules.put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": ["headrace"]}))
        await rules.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "1", "Arn": arn}])

        async def opened() -> EventsClient:
            return client

        assert await EventBridgeBus(opened, BUS).publish(bus_events(jobs, TELL_OF)) == ()
        received: dict[str, str] = {}
        for _ in range(10):
            answer = await queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                await queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                envelope = json.loads(message["Body"])
                PUBLISHED.validate(envelope["detail"])
                event = JobEvent.model_validate(envelope["detail"])
                assert (envelope["source"], envelope["detail-type"]) == ("headrace", event.type)
                received[event.data.id] = event.type
            if len(received) == 14:
                break
            await asyncio.sleep(0.2)
    expected = {f"job-{number}": "job.succeeded" for number in range(12)}
    assert received == {**expected, "f": "job.failed", "c": "job.cancelled"}


class Refusing:
    """EventBridge, which refuses the second event of each request."""

    async def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> Mapping[str, object]:
        entries = [{"EventId": "1"} if place != 1 else {"ErrorCode": "ThrottlingException"} for place in range(9)]
        return {"FailedEntryCount": 1, "Entries": entries[: len(Entries)]}


class Unreachable:
    """EventBridge, which cannot be reached."""

    async def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> Mapping[str, object]:
        raise EndpointConnectionError(endpoint_url="https://events")


@pytest.mark.parametrize(("client", "refused"), [(Refusing(), ["2"]), (Unreachable(), ["1", "2", "3"])])
async def test_events_that_were_not_taken_are_named(client: EventsClient, refused: list[str]) -> None:
    async def opened() -> EventsClient:
        return client

    events = bus_events([succeeded(id=id) for id in ("1", "2", "3")], TELL_OF)
    unpublished = await EventBridgeBus(opened, BUS).publish(events)
    assert [each.event.job_id for each in unpublished] == refused
