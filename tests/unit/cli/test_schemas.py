"""A schema takes all that another takes, or the first place that may refuse something is named."""

from enum import Enum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from domain.jobs.schemas import Schema
from functions.job_types import load_job_types
from headrace.cli.check.schemas import refusals


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Card(Strict):
    kind: Literal["card"]
    number: str


class Cash(Strict):
    kind: Literal["cash"]


class Node(BaseModel):
    name: str
    children: "list[Node]" = []
    parent: "Node | None" = None


class WiderNode(BaseModel):
    name: str | int
    children: "list[WiderNode]" = []
    parent: "WiderNode | None" = None


class NarrowerNode(BaseModel):
    name: Annotated[str, Field(max_length=9)]
    children: "list[NarrowerNode]" = []
    parent: "NarrowerNode | None" = None


Pay = Annotated[Card | Cash, Field(discriminator="kind")]
JustCash = Cash
Short = Annotated[str, Field(max_length=5)]


def schema(annotation: object, **config: object) -> Schema:
    """Of a model with one required member of this annotation."""
    model = type("Order", (BaseModel,), {"__annotations__": {"x": annotation}, "model_config": config})
    assert issubclass(model, BaseModel)
    return model.model_json_schema()


ACCEPTED: dict[str, tuple[object, object]] = {
    "the same": (str, str),
    "integer to number": (int, float),
    "to anything": (int, JsonValue),
    "optional": (int, int | None),
    "another alternative": (int | str, int | str | None),
    "a lower minimum": (Annotated[int, Field(ge=3)], Annotated[int, Field(ge=1)]),
    "no maximum": (Short, str),
    "a pattern gone": (Annotated[str, Field(pattern="a")], str),
    "another value": (Literal["a", "b"], Literal["a", "b", "c"]),
    "values to their type": (Literal["a", 1], str | int),
    "one value of a list": (Literal["a"], Literal["b", "a"]),
    "an enum to its values": (Colour, Literal["red", "blue", "green"]),
    "items": (list[int], list[float]),
    "a tuple": (tuple[int, str], tuple[float, str]),
    "values of a mapping": (dict[str, int], dict[str, int | None]),
    "another kind of a union": (Annotated[Card, Field()], Pay),
    "a union itself": (Pay, Pay),
    "a tree": (Node, Node),
    "a wider tree": (Node, WiderNode),
}

REFUSED: dict[str, tuple[object, object, str]] = {
    "type": (int, str, "/x: its type changed from integer to string"),
    "number to integer": (float, int, "/x: its type changed from number to integer"),
    "from anything": (JsonValue, int, "/x: its type changed from anything to integer"),
    "null": (int | None, int, "/x: its type changed from null to integer"),
    "an alternative": (int | str | None, int | None, "/x: its type changed from string to integer"),
    "limit": (str, Short, "/x: maxLength is 5 now"),
    "narrower limit": (Annotated[int, Field(ge=1)], Annotated[int, Field(ge=3)], "/x: minimum is 3 now"),
    "pattern": (str, Annotated[str, Field(pattern="a")], "/x: pattern changed, which may refuse what was allowed"),
    "value": (Literal["a", "b"], Literal["a"], "/x: some values that were allowed are not any more"),
    "values of a type": (str, Literal["a"], "/x: some values that were allowed are not any more"),
    "items": (list[int], list[str], "/x/*: its type changed from integer to string"),
    "a tuple": (tuple[int, str], tuple[int, int], "/x/1: its type changed from string to integer"),
    "length of a tuple": (tuple[int, str], tuple[int], "/x: its items changed"),
    "kinds of keys": (dict[Literal["a", "b"], int], dict[Literal["a"], int], "/x: propertyNames changed, which may"),
    "values of a mapping": (dict[str, int], dict[str, str], "/x/*: its type changed from integer to string"),
    "kind of a union": (Pay, JustCash, "/x/kind: some values that were allowed are not any more"),
    "a deeper place": (Node, NarrowerNode, "/x/name: maxLength is 9 now"),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_takes_all_that_was_taken_is_compatible(case: str) -> None:
    old, new = ACCEPTED[case]
    assert refusals(schema(old), schema(new)) == ()


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_refuse_something_is_named_with_its_place(case: str) -> None:
    old, new, told = REFUSED[case]
    assert any(found.startswith(told) for found in refusals(schema(old), schema(new))), refusals(
        schema(old), schema(new)
    )


class Base(BaseModel):
    x: int


class Optional(Base):
    y: int = 0


class Required(Base):
    y: int


class Renamed(BaseModel):
    z: int = 0


class Empty(BaseModel):
    pass


class StrictBase(Base, Strict):
    pass


class StrictOptional(Optional, Strict):
    pass


class StrictEmpty(Strict):
    pass


class AllOptional(BaseModel):
    x: int = 0


@pytest.mark.parametrize(
    ("old", "new"),
    [(Base, Optional), (StrictBase, StrictOptional), (Base, AllOptional), (Base, Empty), (StrictBase, Base)],
)
def test_members_may_become_optional_be_added_as_optional_and_be_ignored(
    old: type[BaseModel], new: type[BaseModel]
) -> None:
    assert refusals(old.model_json_schema(), new.model_json_schema()) == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (Base, Required, "/y: was added and is required"),
        (AllOptional, Base, "/x: is required now"),
        (StrictBase, StrictEmpty, "/x: was removed, and extra members are forbidden"),
        (Base, Renamed, "/x: was removed and z added: if it was renamed, its value would be lost"),
        (Base, StrictBase, "the payload: extra members are forbidden now"),
    ],
)
def test_members_that_would_be_missing_or_lost_are_named(old: type[BaseModel], new: type[BaseModel], told: str) -> None:
    assert refusals(old.model_json_schema(), new.model_json_schema()) == (told,)


def test_what_is_not_known_to_be_compatible_is_not() -> None:
    unknown: Schema = {"type": "string", "contentSchema": {}}
    assert refusals({"type": "string"}, unknown) == (
        "the payload: contentSchema changed, which may refuse what was allowed",
    )
    assert refusals(unknown, {"type": "string"}) != ()
    assert refusals(unknown, unknown) == ()


def test_an_unknown_keyword_whose_definition_changed_has_changed() -> None:
    def of(values: list[JsonValue]) -> Schema:
        return {"propertyNames": {"$ref": "#/$defs/Key"}, "$defs": {"Key": {"enum": values}}}

    assert refusals(of(["a"]), of(["a"])) == ()
    assert refusals(of(["a", "b"]), of(["a"])) != ()


def test_true_and_one_are_different_values() -> None:
    assert refusals({"const": True}, {"enum": [1]}) != ()


def test_a_schema_that_allows_nothing_any_more_refuses_all() -> None:
    old: Schema = {"properties": {"a": {}}}
    assert refusals(old, {"properties": {"a": False}}) == ("/a: is no longer allowed",)
    assert refusals({"properties": {"a": False}}, old) == ()


@pytest.mark.parametrize("name", load_job_types("job_types").names())
@pytest.mark.parametrize("of", ["payload", "result"])
def test_every_built_in_schema_takes_what_it_takes(name: str, of: Literal["payload", "result"]) -> None:
    definition = load_job_types("job_types").definition(name)
    assert definition is not None
    model = definition.payload if of == "payload" else definition.result
    found = model.model_json_schema()
    assert refusals(found, found) == ()
