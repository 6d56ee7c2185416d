"""How schemas are shown: as types in a line, and as tables of their members."""

import json
from collections.abc import Iterator

from pydantic import JsonValue

from functions.api.documentation.description import Schema
from functions.api.documentation.markup import Html, element, inline, joined, prose, separated, table


def schema_anchor(name: str) -> str:
    """The id of a schema's section."""
    return f"schema-{name}"


def type_of(schema: Schema) -> Html:
    """The type in a line, with its limits; a named schema is a link."""
    if schema.name:
        return element("a", schema.name, href=f"#{schema_anchor(schema.name)}")
    if schema.variants or schema.all_of:
        return separated(" or " if schema.variants else " and ", map(type_of, schema.variants or schema.all_of))
    if schema.enum or schema.const is not None:
        return separated(" | ", (element("code", _json(value)) for value in schema.enum or (schema.const,)))
    limits = ", ".join(_limits(schema))
    return joined(_bare_type(schema), element("span", f" ({limits})", class_="limits") if limits else "")


def _bare_type(schema: Schema) -> Html:
    match schema.type:
        case "array":
            return joined("array of ", type_of(schema.items or Schema()))
        case "object" if isinstance(schema.additional_properties, Schema):
            return joined("object of ", type_of(schema.additional_properties))
        case "object" if schema.properties:
            return joined("object with ", separated(", ", (element("code", name) for name in schema.properties)))
        case "":
            return joined("any JSON")
        case plain:
            return joined(plain)


def _limits(schema: Schema) -> Iterator[str]:
    if schema.format:
        yield schema.format
    yield from _range(schema.minimum, schema.maximum, "")
    yield from _range(schema.min_length, schema.max_length, " characters")
    yield from _range(schema.min_items, schema.max_items, " items")
    yield from _range(None, schema.max_properties, " members")
    if schema.pattern:
        yield f"pattern {schema.pattern}"


def _range(low: float | None, high: float | None, unit: str) -> Iterator[str]:
    match low, high:
        case None, None:
            return
        case None, float() | int() as most:
            yield f"at most {most:g}{unit}"
        case float() | int() as least, None:
            yield f"at least {least:g}{unit}"
        case least, most:
            yield f"{least:g} to {most:g}{unit}"


def notes(schema: Schema, description: str = "") -> Html:
    """What a member or a parameter is for, and what it is when it is left out."""
    said = description or schema.description
    default = [] if schema.default is None else ["Default: ", element("code", _json(schema.default)), "."]
    return joined(*([inline(said), ". " if said[-1] not in ".!?" else " "] if said else []), *default)


def schema_section(name: str, schema: Schema) -> Html:
    """A named schema."""
    members = [
        (joined(element("code", member), required_mark(member in schema.required)), type_of(each), notes(each))
        for member, each in schema.properties.items()
    ]
    shown = table(("Member", "Type", "Meaning"), members) if members else element("p", type_of(schema))
    closed = "Other members are refused." if schema.additional_properties is False else ""
    heading = element("h3", element("a", name, href=f"#{schema_anchor(name)}"))
    return element("article", heading, prose(schema.description), shown, prose(closed), id=schema_anchor(name))


def required_mark(required: bool) -> Html:
    """The word, where it is true."""
    return element("span", " required", class_="required") if required else Html()


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
