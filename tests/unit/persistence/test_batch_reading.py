"""Reading many items: which keys are retried, when, and for how long."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from domain.results import StorageUnavailable
from persistence.dynamodb.batch_reading import BASE_SECONDS, CAP_SECONDS, BatchReader

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

Keys = list[dict[str, dict[str, str]]]
Answer = dict[str, object]


def key(id: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": id}}


class Database:
    """Processes the keys that the test selects for each call; the rest is returned as unprocessed."""

    def __init__(self, processed: Callable[[int, Keys], Keys], odd: Keys | None = None) -> None:
        self._processed = processed
        self._odd = odd or []
        self.asked: list[Keys] = []

    async def __call__(self) -> "DynamoDBClient":
        return cast("DynamoDBClient", self)

    async def batch_get_item(self, RequestItems: dict[str, dict[str, Keys]]) -> Answer:  # noqa: N803 - AWS's name
        keys = RequestItems["jobs"]["Keys"]
        done = self._processed(len(self.asked), keys)
        self.asked.append(keys)
        left = [*(each for each in keys if each not in done), *(self._odd if done != keys else [])]
        return {"Responses": {"jobs": done}, "UnprocessedKeys": {"jobs": {"Keys": left}} if left else {}}


class Time:
    """A clock that advances only during a sleep."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return sum(self.pauses)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


async def read(database: Database, *ids: str, random: float = 0.5, ends: float = 10.0) -> tuple[object, list[float]]:
    time = Time()
    reader = BatchReader(database, "jobs", lambda: random, time.sleep, time)
    found = await reader.read(ids, ("id",), ends)
    return (sorted(found) if isinstance(found, dict) else found), time.pauses


async def test_a_last_call_that_succeeds_is_success_however_many_failed_before_it() -> None:
    database = Database(lambda call, keys: keys if call == 7 else keys[:1])
    found, pauses = await read(database, *"abcdefghij")
    assert found == sorted("abcdefghij")
    assert len(database.asked) == 8
    assert len(pauses) == 7


async def test_pauses_grow_with_full_jitter_up_to_a_cap() -> None:
    database = Database(lambda call, keys: keys if call == 9 else [])
    found, pauses = await read(database, "a", random=0.5, ends=100)
    assert found == ["a"]
    assert pauses == [0.5 * min(CAP_SECONDS, BASE_SECONDS * 2**n) for n in range(9)]


async def test_retries_end_as_throttled_within_the_time_limit() -> None:
    found, pauses = await read(Database(lambda _call, _keys: []), "a", random=1, ends=5)
    assert isinstance(found, StorageUnavailable)
    assert found.reason == "throttled"
    assert 3 < sum(pauses) < 5


async def test_keys_are_read_once_each_a_hundred_per_call_and_never_in_an_empty_call() -> None:
    database = Database(lambda _call, keys: keys)
    ids = [str(n) for n in range(250)]
    found, pauses = await read(database, "", *ids, *ids)
    assert found == sorted(ids)
    assert [len(keys) for keys in database.asked] == [100, 100, 50]
    assert pauses == []


async def test_no_keys_cause_no_call() -> None:
    database = Database(lambda _call, keys: keys)
    assert await read(database, "") == ([], [])
    assert database.asked == []


async def test_an_odd_key_among_the_unprocessed_is_not_sent() -> None:
    odd: Keys = [{}, {"id": {"N": "1"}}, {"id": {"S": ""}}]
    database = Database(lambda call, keys: keys if call else [], odd)
    found, _ = await read(database, "a")
    assert found == ["a"]
    assert database.asked == [[key("a")], [key("a")]]
