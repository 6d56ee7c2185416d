"""Decides whether every document of one JSON Schema is accepted by another; what it does not know counts as refused.

Read are the keywords that pydantic writes. What only Python knows (validators, strictness, types without a schema) is
not seen.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from domain.jobs.schemas import Schema

_ANNOTATIONS: Final = {
    "title", "description", "examples", "default", "deprecated", "discriminator", "readOnly", "writeOnly", "$defs",
    "$schema", "contentMediaType", "contentEncoding",
}  # fmt: skip
"""Keywords that refuse no document."""
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_UNIONS: Final = ("anyOf", "oneOf")
_READ: Final = {
    *_ANNOTATIONS, *_LOWER, *_UPPER, *_UNIONS, "type", "enum", "const", "properties", "required",
    "additionalProperties", "items", "prefixItems",
}  # fmt: skip
"""Every other keyword must stay as it is."""
_LOOSENED_BY_REMOVAL: Final = {"format", "pattern", "multipleOf", "uniqueItems"}


def refusals(old: Schema, new: Schema) -> tuple[str, ...]:
    """Why documents of `old` may be refused by `new`: a sentence each, after its place; none if all are accepted."""
    comparison = _Comparison(_definitions(old), _definitions(new))
    return tuple(dict.fromkeys(f"{place or 'the payload'}: {why}" for place, why in comparison.of(old, new, "")))


Refusal = tuple[str, str]


class _Comparison:
    """Compares the parts of two schemas, each with its own definitions."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._under_way: set[str] = set()

    def of(self, old: JsonValue, new: JsonValue, place: str) -> Iterator[Refusal]:
        """Why documents of `old` may be refused by `new`."""
        pair = json.dumps([old, new])
        if pair in self._under_way:  # A schema that contains itself: this is what is being compared.
            return
        self._under_way.add(pair)
        before, after = _resolved(old, self._old), _resolved(new, self._new)
        if isinstance(after, dict) and before is not False:
            if after.keys() - _ANNOTATIONS:
                yield from self._of_schemas(before if isinstance(before, dict) else {}, after, place)
        elif after is not True and before is not False:
            yield place, "is no longer allowed"
        self._under_way.remove(pair)

    def _of_schemas(self, old: Schema, new: Schema, place: str) -> Iterator[Refusal]:
        for union in (*_UNIONS, "enum"):
            if isinstance(members := old.get(union), list):
                if union == "enum":
                    members = [{"const": value} for value in members]
                rest = {name: value for name, value in old.items() if name not in {union, *_ANNOTATIONS}}
                for member in members:
                    yield from self.of({**rest, "allOf": [member]} if rest else member, new, place)
                return
        for union in _UNIONS:
            if isinstance(members := new.get(union), list):
                each = [tuple(self.of(old, member, place)) for member in members]
                yield from min(each, key=len, default=())
                new = {name: value for name, value in new.items() if name != union}
        yield from self._keywords(old, new, place)
        if "object" in _types(old):
            yield from self._objects(old, new, place)
        if "array" in _types(old):
            yield from self._arrays(old, new, place)

    def _objects(self, old: Schema, new: Schema, place: str) -> Iterator[Refusal]:
        before, after = _mapping(old.get("properties")), _mapping(new.get("properties"))
        rest_before, rest_after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        for name in _names(new.get("required")):
            if name not in _names(old.get("required")):
                yield f"{place}/{name}", "is required now" if name in before else "was added and is required"
        for name, member in before.items():
            if name in after:
                yield from self.of(member, after[name], f"{place}/{name}")
            elif rest_after is False:
                yield f"{place}/{name}", "was removed, and extra members are forbidden"
            elif added := after.keys() - before.keys():
                yield (
                    f"{place}/{name}",
                    f"was removed and {min(added)} added: if it was renamed, its value would be lost",
                )
            else:
                yield from self.of(member, rest_after, f"{place}/{name}")
        if isinstance(rest_before, dict):
            for name in after.keys() - before.keys():
                yield from self.of(rest_before, after[name], f"{place}/{name}")
        if rest_before is not False:
            yield from self._rest(rest_before, rest_after, place)

    def _rest(self, old: JsonValue, new: JsonValue, place: str) -> Iterator[Refusal]:
        if new is False:
            yield place, "extra members are forbidden now"
        else:
            yield from self.of(old, new, f"{place}/*")

    def _arrays(self, old: Schema, new: Schema, place: str) -> Iterator[Refusal]:
        before, after = old.get("prefixItems"), new.get("prefixItems")
        if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            for number, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from self.of(one, other, f"{place}/{number}")
        elif before != after:
            yield place, "its items changed"
        yield from self.of(old.get("items", True), new.get("items", True), f"{place}/*")

    def _keywords(self, old: Schema, new: Schema, place: str) -> Iterator[Refusal]:
        """Of the keywords about a value itself."""
        values, allowed = _values(old), _values(new)
        if allowed is not None and (values is None or not all(value in allowed for value in values)):
            yield place, "some values that were allowed are not any more"
        elif allowed is None and not _fits(_types(old), _types(new)):
            yield place, f"its type changed from {_shown(_types(old))} to {_shown(_types(new))}"
        for name in (*_LOWER, *_UPPER):
            if name in new and _is_narrower(name, old.get(name), new[name]):
                yield place, f"{name} is {json.dumps(new[name])} now"
        for name in sorted((old.keys() | new.keys()) - _READ):
            if name not in new and name in _LOOSENED_BY_REMOVAL:
                continue
            redefined = self._old != self._new and '"$ref"' in json.dumps([old.get(name), new.get(name)])
            if old.get(name) != new.get(name) or redefined:
                yield place, f"{name} changed, which may refuse what was allowed"


def _is_narrower(name: str, old: JsonValue, new: JsonValue) -> bool:
    if not isinstance(old, int | float) or not isinstance(new, int | float):
        return True
    return new > old if name in _LOWER else new < old


def _fits(old: frozenset[str], new: frozenset[str]) -> bool:
    return all(kind in new or (kind == "integer" and "number" in new) for kind in old)


_EVERY_TYPE: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def _types(schema: Schema) -> frozenset[str]:
    values = _values(schema)
    if values is not None:
        return frozenset(kind for kind, _ in values)
    kind = schema.get("type")
    if kind is None:
        return _EVERY_TYPE
    return frozenset(str(each) for each in (kind if isinstance(kind, list) else [kind]))


def _type_of(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def _values(schema: Schema) -> list[tuple[str, JsonValue]] | None:
    """The values of `const` or `enum`, each with its type, for Python holds 1 and True to be equal."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return [(_type_of(value), value) for value in values] if isinstance(values, list) else None


def _definitions(schema: Schema) -> Schema:
    return _mapping(schema.get("$defs"))


def _reference(schema: JsonValue) -> str:
    return str(schema.get("$ref", "")) if isinstance(schema, dict) else ""


def _resolved(schema: JsonValue, definitions: Mapping[str, JsonValue]) -> JsonValue:
    """The schema itself, where it refers to another; an `allOf` of one is that one."""
    while isinstance(schema, dict):
        rest = {name: value for name, value in schema.items() if name not in {"$ref", "allOf"}}
        members = schema.get("allOf")
        if "$ref" in schema:
            target = definitions.get(_reference(schema).removeprefix("#/$defs/"))
        elif isinstance(members, list) and len(members) == 1:
            target = members[0]
        else:
            return schema
        schema = {**target, **rest} if isinstance(target, dict) else target
    return schema


def _mapping(value: JsonValue) -> Schema:
    return value if isinstance(value, dict) else {}


def _names(value: JsonValue) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _shown(types: frozenset[str]) -> str:
    return "anything" if types == _EVERY_TYPE else " or ".join(sorted(types))
