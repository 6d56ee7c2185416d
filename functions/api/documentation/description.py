"""The OpenAPI document as data: the part of OpenAPI 3.1 that the page shows."""

from collections.abc import Iterator
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_OMITTED = "Successful Response"
"""What FastAPI writes where a route says nothing."""
METHODS = frozenset({"get", "post", "put", "patch", "delete"})


class _Part(BaseModel):
    """A part of the document; what the page does not show is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Schema(_Part):
    """A JSON Schema (2020-12), as pydantic writes it."""

    ref: str = Field(default="", alias="$ref")
    type: str = ""
    description: str = ""
    format: str = ""
    pattern: str = ""
    enum: tuple[JsonValue, ...] = ()
    const: JsonValue = None
    default: JsonValue = None
    examples: tuple[JsonValue, ...] = ()
    any_of: tuple["Schema", ...] = Field(default=(), alias="anyOf")
    one_of: tuple["Schema", ...] = Field(default=(), alias="oneOf")
    all_of: tuple["Schema", ...] = Field(default=(), alias="allOf")
    items: "Schema | None" = None
    properties: dict[str, "Schema"] = Field(default_factory=dict)
    required: frozenset[str] = frozenset()
    additional_properties: "Schema | bool" = Field(default=True, alias="additionalProperties")
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = Field(default=None, alias="minLength")
    max_length: int | None = Field(default=None, alias="maxLength")
    min_items: int | None = Field(default=None, alias="minItems")
    max_items: int | None = Field(default=None, alias="maxItems")
    max_properties: int | None = Field(default=None, alias="maxProperties")

    @property
    def name(self) -> str:
        """Of the component that `$ref` points to; empty for a schema of its own."""
        return self.ref.rpartition("/")[2]

    @property
    def variants(self) -> tuple["Schema", ...]:
        """The schemas of which one has to fit; none where there is no choice."""
        return self.any_of or self.one_of

    def without_null(self) -> "Schema":
        """Of a parameter, which is absent rather than null."""
        given = tuple(variant for variant in self.any_of if variant.type != "null")
        return given[0] if len(given) == 1 else self.model_copy(update={"any_of": given})


class Content(_Part):
    """A body in one media type."""

    schema_: Schema = Field(default_factory=Schema, alias="schema")


class Parameter(_Part):
    """A parameter in path, query or header."""

    name: str
    place: str = Field(alias="in")
    required: bool = False
    description: str = ""
    schema_: Schema = Field(default_factory=Schema, alias="schema")


class RequestBody(_Part):
    """What a request carries."""

    content: dict[str, Content]


class Link(_Part):
    """Another operation to which a response leads."""

    parameters: dict[str, str] = Field(default_factory=dict)


class Response(_Part):
    """What one status means."""

    description: str = ""
    content: dict[str, Content] = Field(default_factory=dict)
    links: dict[str, Link] = Field(default_factory=dict)

    def meaning(self, status: str) -> str:
        """What is said of it, or the status's own phrase."""
        if self.description not in {"", _OMITTED} or not status.isdecimal():
            return self.description
        return HTTPStatus(int(status)).phrase


class Operation(_Part):
    """One method of one path."""

    id: str = Field(alias="operationId")
    tags: tuple[str, ...] = ()
    summary: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: RequestBody | None = Field(default=None, alias="requestBody")
    responses: dict[str, Response] = Field(default_factory=dict)
    security: tuple[dict[str, tuple[str, ...]], ...] = ()


class Call(_Part):
    """An operation with the method and path that it answers."""

    method: str
    path: str
    operation: Operation


class Info(_Part):
    """What the API is."""

    title: str
    version: str
    description: str = ""


class Components(_Part):
    """What is referred to."""

    schemas: dict[str, Schema] = Field(default_factory=dict)


class Description(_Part):
    """The whole document."""

    info: Info
    paths: dict[str, dict[str, JsonValue]]
    components: Components = Field(default_factory=Components)

    def calls(self) -> Iterator[Call]:
        """Every operation, in the document's order."""
        for path, members in self.paths.items():
            for method in (member for member in members if member in METHODS):
                operation = Operation.model_validate(members[method])
                yield Call(method=method.upper(), path=path, operation=operation)

    def by_tag(self) -> dict[str, list[Call]]:
        """The operations below their first tag, in the order in which the tags come."""
        found: dict[str, list[Call]] = {}
        for call in self.calls():
            found.setdefault(next(iter(call.operation.tags), "other"), []).append(call)
        return found
