"""The conformance suite of `StreamPositions`, for the fake, moto's server and MiniStack."""

from datetime import timedelta

import pytest

from domain.jobs.stream_position import StreamPosition, StreamPositions, is_ahead, passed
from domain.results import StorageUnavailable
from functions.runtime import LazyClient
from headrace.testing.stream_positions import FakeStreamPositions
from persistence.dynamodb.repositories.stream_positions import STREAM, DynamoStreamPositions
from tests.conftest import new_id
from tests.factories import NOW

SECOND = timedelta(seconds=1)


def positions_on(client: LazyClient) -> DynamoStreamPositions:
    return DynamoStreamPositions(client, "StreamPositionsTable")


@pytest.fixture(params=["fake", "moto", "ministack"])
def positions(request: pytest.FixtureRequest) -> StreamPositions:
    if request.param == "fake":
        return FakeStreamPositions()
    client = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(client, LazyClient)
    return positions_on(client)


async def current(positions: StreamPositions, *environments: str) -> tuple[StreamPosition, ...]:
    """Return the valid positions of these environments; tests share the databases' tables."""
    found = await positions.current(NOW)
    assert not isinstance(found, StorageUnavailable)
    return tuple(sorted((mark for mark in found if mark.environment in environments), key=lambda mark: mark.at))


async def test_only_valid_positions_are_read(positions: StreamPositions) -> None:
    slow, quick, gone = (new_id() for _ in range(3))
    marks = (
        StreamPosition(environment=slow, at=NOW - 300 * SECOND, until=NOW + SECOND),
        StreamPosition(environment=quick, at=NOW - 20 * SECOND, until=NOW + SECOND),
    )
    for mark in (*marks, StreamPosition(environment=gone, at=NOW - 900 * SECOND, until=NOW)):
        assert await positions.note(mark) is None
    assert await current(positions, slow, quick, gone) == marks


async def test_an_environment_has_one_position(positions: StreamPositions) -> None:
    environment = new_id()
    for seconds in (300, 200, 100):
        at = NOW - seconds * SECOND
        await positions.note(StreamPosition(environment=environment, at=at, until=NOW + SECOND))
    assert [mark.at for mark in await current(positions, environment)] == [NOW - 100 * SECOND]


async def test_an_item_that_is_not_a_position_is_skipped(ministack_client: LazyClient) -> None:
    client = await ministack_client()
    until = {"S": "2030-01-01T00:00:00.000000Z"}
    for item in ({"at": {"S": "soon"}, "until": until}, {"until": until}):
        key = {"stream": {"S": STREAM}, "environment": {"S": new_id()}}
        await client.put_item(TableName="StreamPositionsTable", Item={**key, **item})
    environment = new_id()
    positions = positions_on(ministack_client)
    await positions.note(StreamPosition(environment=environment, at=NOW, until=NOW + SECOND))
    assert len(await current(positions, environment)) == 1


def test_the_slowest_worker_decides_the_position() -> None:
    marks = [StreamPosition(environment=str(n), at=NOW - n * SECOND, until=NOW + SECOND) for n in (20, 300, 40)]
    assert passed(marks) == NOW - 300 * SECOND
    assert passed([]) is None


def test_a_trigger_is_ahead_unless_it_is_older_than_the_position_allowing_for_clock_skew() -> None:
    assert is_ahead(NOW, NOW)
    assert is_ahead(NOW - 4 * SECOND, NOW)
    assert not is_ahead(NOW - 5 * SECOND, NOW)
    assert not is_ahead(NOW, None)
