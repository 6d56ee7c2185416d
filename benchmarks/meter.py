"""Measures calls and capacity units of operations, as reported by the database (`ReturnConsumedCapacity=INDEXES`)."""

import math
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, NotRequired, TypedDict

from botocore.model import OperationModel
from pydantic import Field

from headrace.authoring.frozen import Frozen
from persistence.converters.attributes import item_size

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

READ_UNIT_BYTES = 4096


class Cost(Frozen):
    """Calls and capacity units of one operation."""

    calls: int = 0
    reads: float = 0
    writes_by_place: dict[str, float] = Field(default_factory=dict)
    """Write units by the place where they were consumed: `table`, or the name of an index."""

    @property
    def writes(self) -> float:
        """All write units."""
        return sum(self.writes_by_place.values())


def together(costs: Iterable[Cost]) -> Cost:
    """The sum of several costs."""
    each = tuple(costs)
    places = {place for cost in each for place in cost.writes_by_place}
    return Cost(
        calls=sum(cost.calls for cost in each),
        reads=sum(cost.reads for cost in each),
        writes_by_place={place: sum(cost.writes_by_place.get(place, 0) for cost in each) for place in places},
    )


class Capacity(TypedDict):
    """`ConsumedCapacity` of a response, or a part of it."""

    CapacityUnits: float
    Table: "Capacity"
    GlobalSecondaryIndexes: NotRequired[dict[str, "Capacity"]]


class MeteredResponse(TypedDict):
    """The members of a response that the meter reads."""

    ConsumedCapacity: NotRequired[Capacity]
    Responses: dict[str, list["Mapping[str, Attribute]"]]


class Meter:
    """Counts a client's calls and their capacity units."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._costs: list[Cost] = []
        client.meta.events.register("provide-client-params.dynamodb.*", self._request_capacity)
        client.meta.events.register("after-call.dynamodb.*", self._count)

    def _request_capacity(self, params: dict[str, object], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"

    def _count(self, parsed: MeteredResponse, model: OperationModel, **_: object) -> None:
        self._costs.append(_cost(model.name, parsed))

    async def cost_of(self, work: Awaitable[object]) -> Cost:
        """Measure the cost of awaiting `work`; nothing else may use the client meanwhile."""
        self._costs = []
        await work
        return together(self._costs)


def _cost(operation: str, response: MeteredResponse) -> Cost:
    match operation:
        case "BatchGetItem":
            items = (item for found in response["Responses"].values() for item in found)
            return Cost(calls=1, reads=sum(_read_units(item) for item in items))
        case "Query" | "GetItem":
            return Cost(calls=1, reads=response["ConsumedCapacity"]["CapacityUnits"])
        case _:
            consumed = response["ConsumedCapacity"]
            indexes = consumed.get("GlobalSecondaryIndexes", {})
            units = {name: index["CapacityUnits"] for name, index in {"table": consumed["Table"], **indexes}.items()}
            return Cost(calls=1, writes_by_place={name: number for name, number in units.items() if number})


def _read_units(item: "Mapping[str, Attribute]") -> float:
    """Units of an eventually consistent read (Developer Guide, "Read consistency"); MiniStack omits for batches."""
    return math.ceil(item_size(item) / READ_UNIT_BYTES) / 2
