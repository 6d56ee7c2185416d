"""Reads many items by their ids, asking again for what DynamoDB leaves unprocessed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from domain.results import StorageUnavailable
from persistence.converters.attributes import string_of
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import KeysAndAttributesTypeDef

    from domain.ports import Random
    from persistence.converters.attributes import Item
    from persistence.dynamodb.client import ClientSource

MAX_BATCH_GET = 100
"""Keys that one BatchGetItem takes."""
BASE_SECONDS = 0.05
CAP_SECONDS = 2.0

Sleep = Callable[[float], Awaitable[object]]
Monotonic = Callable[[], float]


class BatchReader:
    """BatchGetItem with exponential backoff and full jitter.

    The SDK tries a call again that failed; a call that succeeded and left keys unprocessed (throttling, or more than
    16 MB of items) is left to the caller.
    """

    def __init__(self, client: ClientSource, table: str, random: Random, sleep: Sleep, monotonic: Monotonic) -> None:
        self._client = client
        self._table = table
        self._random = random
        self._sleep = sleep
        self._monotonic = monotonic

    async def read(
        self, ids: tuple[str, ...], attributes: tuple[str, ...], ends: float
    ) -> dict[str, Item] | StorageUnavailable:
        """The items that there are, by id, with these attributes; each unit is charged whatever is left out.

        `ends` is a moment of the monotonic clock (s): keys that would have to be asked for again after it make
        the answer `throttled`.
        """
        wanted = tuple(dict.fromkeys(id for id in ids if id))
        found: dict[str, Item] = {}
        try:
            client = await self._client()
            for start in range(0, len(wanted), MAX_BATCH_GET):
                part = await self._chunk(client, wanted[start : start + MAX_BATCH_GET], attributes, ends)
                if isinstance(part, StorageUnavailable):
                    return part
                found |= part
        except STORAGE_ERRORS as error:
            return as_result(error)
        return found

    async def _chunk(
        self, client: DynamoDBClient, ids: tuple[str, ...], attributes: tuple[str, ...], ends: float
    ) -> dict[str, Item] | StorageUnavailable:
        found: dict[str, Item] = {}
        tries = 0
        while True:
            answer = await client.batch_get_item(RequestItems={self._table: _request(ids, attributes)})
            items = answer["Responses"].get(self._table, [])
            found |= {id: item for item in items if (id := string_of(item, "id")) is not None}
            left = answer.get("UnprocessedKeys", {}).get(self._table, {"Keys": []})["Keys"]
            ids = tuple(id for key in left if (id := string_of(key, "id")))
            if not ids:
                return found
            pause = self._random() * min(CAP_SECONDS, BASE_SECONDS * 2**tries)
            if self._monotonic() + pause >= ends:
                return StorageUnavailable(reason="throttled", detail="unprocessed keys remain")
            await self._sleep(pause)
            tries = min(tries + 1, 10)


def projection(attributes: tuple[str, ...]) -> tuple[str, Mapping[str, str]]:
    """A ProjectionExpression and its names, which keep clear of DynamoDB's reserved words."""
    names = {f"#a{number}": name for number, name in enumerate(attributes)}
    return ", ".join(names), names


def _request(ids: tuple[str, ...], attributes: tuple[str, ...]) -> KeysAndAttributesTypeDef:
    expression, names = projection(attributes)
    return {
        "Keys": [{"id": {"S": id}} for id in ids],
        "ProjectionExpression": expression,
        "ExpressionAttributeNames": names,
    }
