"""Makes an example document from a JSON Schema, for `headrace types`."""

from collections.abc import Callable

from pydantic import JsonValue

Schema = dict[str, JsonValue]

MAX_DEPTH = 8
"""A schema may refer to itself; deeper levels are left out."""
_FORMATS = {
    "date": "2026-12-01",
    "date-time": "2026-12-01T09:30:00+01:00",
    "time": "09:30:00",
    "duration": "PT15M",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "binary": "text",
}


def example_of(schema: Schema) -> JsonValue:
    """An example of a document that the schema describes.

    Examples, constants and defaults of the schema are used where it has them; elsewhere a value of the right type and
    range. Rules that a schema cannot be read for, such as patterns and validators in Python, may still refuse it.
    """
    found = schema.get("$defs")
    return _example(schema, found if isinstance(found, dict) else {}, 0)


def _example(schema: JsonValue, definitions: Schema, depth: int) -> JsonValue:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return None
    examples, enumerated = schema.get("examples"), schema.get("enum")
    if isinstance(examples, list) and examples:
        return examples[0]
    if "const" in schema:
        return schema["const"]
    if schema.get("default") is not None:
        return schema["default"]
    if isinstance(enumerated, list) and enumerated:
        return enumerated[0]
    if isinstance(reference := schema.get("$ref"), str):
        return _example(definitions.get(reference.removeprefix("#/$defs/")), definitions, depth + 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        if isinstance(members := schema.get(choice), list) and members:
            return _example(_first(members), definitions, depth + 1)
    return _of_type(schema, definitions, depth)


def _first(members: list[JsonValue]) -> JsonValue:
    """The first alternative that is not null."""
    return next((each for each in members if not isinstance(each, dict) or each.get("type") != "null"), members[0])


def _of_type(schema: Schema, definitions: Schema, depth: int) -> JsonValue:
    kind = schema.get("type")
    named = next((each for each in kind if each != "null"), None) if isinstance(kind, list) else kind
    match named:
        case "object":
            return _object(schema, definitions, depth)
        case "array":
            return _array(schema, definitions, depth)
        case "string":
            return _string(schema)
        case "integer":
            return int(_number(schema, 1))
        case "number":
            return _number(schema, 0.5)
        case "boolean":
            return False
        case _:
            return None


def _object(schema: Schema, definitions: Schema, depth: int) -> Schema:
    """The required members, and those with an example or a default other than null."""
    properties, required = schema.get("properties"), schema.get("required")
    names = required if isinstance(required, list) else []
    return {
        name: _example(member, definitions, depth + 1)
        for name, member in (properties if isinstance(properties, dict) else {}).items()
        if name in names or (isinstance(member, dict) and (member.get("examples") or member.get("default") is not None))
    }


def _array(schema: Schema, definitions: Schema, depth: int) -> list[JsonValue]:
    fixed = schema.get("prefixItems")
    if isinstance(fixed, list):
        return [_example(item, definitions, depth + 1) for item in fixed]
    if depth >= MAX_DEPTH - 1 or "items" not in schema or schema.get("maxItems") == 0:
        return []
    return [_example(schema["items"], definitions, depth + 1)] * max(1, int(_limit(schema, "minItems") or 1))


def _string(schema: Schema) -> str:
    text = _FORMATS.get(str(schema.get("format")), "text")
    shortest, longest = _limit(schema, "minLength"), _limit(schema, "maxLength")
    padded = text.ljust(int(shortest or 0), "x")
    return padded if longest is None else padded[: int(longest)]


def _number(schema: Schema, step: float) -> float:
    """A number within the limits of the schema, near zero."""
    step = _limit(schema, "multipleOf") or step
    lowest, highest = _limit(schema, "minimum"), _limit(schema, "maximum")
    above, below = _limit(schema, "exclusiveMinimum"), _limit(schema, "exclusiveMaximum")
    tests: tuple[Callable[[float], bool], ...] = (
        lambda value: lowest is None or value >= lowest,
        lambda value: above is None or value > above,
        lambda value: highest is None or value <= highest,
        lambda value: below is None or value < below,
    )
    start = max((limit for limit in (lowest, above) if limit is not None), default=0.0)
    end = min((limit for limit in (highest, below) if limit is not None), default=start + step)
    multiple = -(-start // step) * step
    candidates = (step, multiple, multiple + step, start, end, end - step, (start + end) / 2)
    return next((value for value in candidates if all(test(value) for test in tests)), step)


def _limit(schema: Schema, name: str) -> float | None:
    value = schema.get(name)
    return value if isinstance(value, int | float) else None
