"""The examples of payloads that `headrace types` makes from JSON Schemas."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from headrace.cli.example import example_of


class Line(BaseModel):
    """Part of an order."""

    sku: Annotated[str, Field(min_length=6, max_length=8)]
    number: Annotated[int, Field(gt=0, multiple_of=5)]
    price: Annotated[float, Field(gt=1, lt=2)]


class Order(BaseModel):
    """A payload with most of what a model can hold."""

    id: UUID
    at: datetime
    kind: Literal["new", "old"]
    lines: Annotated[list[Line], Field(min_length=2)]
    pair: tuple[int, str]
    either: int | str
    maybe: int | None = None
    level: Annotated[int, Field(ge=-9, le=-3)] = -4
    note: str = Field(default="", examples=["call first"])
    below: "Order | None" = None


def test_an_example_is_accepted_by_the_model_that_the_schema_comes_from() -> None:
    example = example_of(Order.model_json_schema())
    order = Order.model_validate(example)
    assert (order.kind, len(order.lines), order.level, order.note) == ("new", 2, -4, "call first")
    assert isinstance(example, dict)
    assert "maybe" not in example


@pytest.mark.parametrize(("minimum", "maximum"), [(0, 1), (5, 5), (-9, -3), (100, 1000), (0.5, 0.6)], ids=str)
def test_a_number_is_within_its_limits(minimum: float, maximum: float) -> None:
    example = example_of({"type": "number", "minimum": minimum, "maximum": maximum})
    assert isinstance(example, int | float)
    assert minimum <= example <= maximum


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "object"}, {"type": "x"}, {"$ref": "#/$defs/Missing"}, {"anyOf": []}, {"$defs": 1, "properties": 2}],
    ids=["empty", "no properties", "unknown type", "missing definition", "no alternatives", "malformed"],
)
def test_any_schema_has_some_example(schema: dict[str, object]) -> None:
    assert not example_of(schema)  # type: ignore[arg-type]  # malformed on purpose


def test_a_schema_that_requires_itself_ends() -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/Node"}}}
    assert isinstance(example_of({"$ref": "#/$defs/Node", "$defs": {"Node": node}}), dict)  # type: ignore[dict-item]
