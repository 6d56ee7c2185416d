"""What operations cost in calls and capacity units, as the database itself tells (`ReturnConsumedCapacity=INDEXES`)."""

import math
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, NotRequired, TypedDict

from botocore.model import OperationModel
from pydantic import Field

from headrace.authoring.frozen import Frozen
from persistence.converters.dynamo_to_domain import item_size

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

READ_UNIT_BYTES = 4096


class Cost(Frozen):
    """Calls and capacity units of one operation."""

    calls: int = 0
    reads: float = 0
    writes_by_place: dict[str, float] = Field(default_factory=dict)
    """The table, and each of its indexes."""

    @property
    def writes(self) -> float:
        """All write units."""
        return sum(self.writes_by_place.values())


def together(costs: Iterable[Cost]) -> Cost:
    """What several operations cost in all."""
    each = tuple(costs)
    places = {place for cost in each for place in cost.writes_by_place}
    return Cost(
        calls=sum(cost.calls for cost in each),
        reads=sum(cost.reads for cost in each),
        writes_by_place={place: sum(cost.writes_by_place.get(place, 0) for cost in each) for place in places},
    )


class Capacity(TypedDict):
    """`ConsumedCapacity` of an answer, or a part of it."""

    CapacityUnits: float
    Table: "Capacity"
    GlobalSecondaryIndexes: NotRequired[dict[str, "Capacity"]]


class Answer(TypedDict):
    """The members of an answer that are read here."""

    ConsumedCapacity: NotRequired[Capacity]
    Responses: dict[str, list["Mapping[str, Attribute]"]]


class Meter:
    """Counts a client's calls and what they consume."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._costs: list[Cost] = []
        client.meta.events.register("provide-client-params.dynamodb.*", self._ask)
        client.meta.events.register("after-call.dynamodb.*", self._count)

    def _ask(self, params: dict[str, object], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"

    def _count(self, parsed: Answer, model: OperationModel, **_: object) -> None:
        self._costs.append(_cost(model.name, parsed))

    async def cost_of(self, work: Awaitable[object]) -> Cost:
        """What awaiting `work` costs; nothing else may run meanwhile."""
        self._costs = []
        await work
        return together(self._costs)


def _cost(operation: str, answer: Answer) -> Cost:
    match operation:
        case "BatchGetItem":
            items = (item for found in answer["Responses"].values() for item in found)
            return Cost(calls=1, reads=sum(_read_units(item) for item in items))
        case "Query" | "GetItem":
            return Cost(calls=1, reads=answer["ConsumedCapacity"]["CapacityUnits"])
        case _:
            consumed = answer["ConsumedCapacity"]
            indexes = consumed.get("GlobalSecondaryIndexes", {})
            units = {name: index["CapacityUnits"] for name, index in {"table": consumed["Table"], **indexes}.items()}
            return Cost(calls=1, writes_by_place={name: number for name, number in units.items() if number})


def _read_units(item: "Mapping[str, Attribute]") -> float:
    """Of an eventually consistent read (Developer Guide, "Read consistency"): MiniStack tells none for a batch."""
    return math.ceil(item_size(item) / READ_UNIT_BYTES) / 2
