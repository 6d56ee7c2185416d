"""Measures what calls cost, on a database that charges as DynamoDB does."""

from typing import Protocol


class Capacity(Protocol):
    """The `ConsumedCapacity` of a response."""

    def __getitem__(self, name: str) -> float: ...


class Meter:
    """Requests the capacity of every call, and records it by operation."""

    def __init__(self) -> None:
        self.units: list[tuple[str, float]] = []

    def ask(self, params: dict[str, object], model: object, **_: object) -> dict[str, object]:
        return params | {"ReturnConsumedCapacity": "INDEXES"}

    def note(self, parsed: dict[str, Capacity | list[Capacity]], model: object, **_: object) -> None:
        # MiniStack says nothing of a BatchGetItem.
        consumed = parsed.get("ConsumedCapacity", [])
        tables = consumed if isinstance(consumed, list) else [consumed]
        self.units.append((str(getattr(model, "name", "")), sum(table["CapacityUnits"] for table in tables)))

    def take(self) -> list[tuple[str, float]]:
        taken, self.units = self.units, []
        return taken
