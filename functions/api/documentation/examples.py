"""Example bodies, and commands that send them."""

import json
import shlex
from collections.abc import Mapping

from pydantic import JsonValue

from functions.api.documentation.description import Call, Schema

_CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "city,people\nBergen,291940\nBodo,53712\n"}}
_WRITTEN: Mapping[str, JsonValue] = {
    "SubmitJob": _CSV,
    "SubmitBatch": {"jobs": [_CSV, {**_CSV, "delay_seconds": 60, "tags": {"batch": "nightly"}}]},
    "ChangeJobs": {"filter": {"type": "csv.profile"}, "limit": 100, "dry_run": True},
    "RetryFailed": {"type": "csv.profile", "limit": 100, "dry_run": True},
    "CreateUser": {"email": "ada@example.com", "name": "Ada Lovelace", "role": "member"},
    "CreateSchedule": {"name": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Oslo", **_CSV},
    "ChangeSchedule": {"cron": "30 3 * * 1-5"},
    "PreviewSchedule": {"cron": "30 2 * * *", "timezone": "America/New_York"},
    "ChangeUser": {"name": "Ada King"},
    "CreateWebhook": {"url": "https://example.com/hooks", "statuses": ["succeeded", "failed"]},
    "ChangeWebhook": {"enabled": True},
}
"""Where a value that only fits the schema would say little."""


def example_body(call: Call, schemas: Mapping[str, Schema]) -> str | None:
    """A body that the operation accepts, as indented JSON; None when it takes none."""
    body = call.operation.body
    if body is None:
        return None
    first = next(iter(body.content.values()))
    return json.dumps(example(first.schema_, schemas), indent=2, ensure_ascii=False)


def example(schema: Schema, schemas: Mapping[str, Schema]) -> JsonValue:
    """A value that fits: a written one, the schema's own example, or its required members."""
    if schema.name:
        written = _WRITTEN.get(schema.name)
        return written if written is not None else example(schemas.get(schema.name, Schema()), schemas)
    if schema.examples or schema.enum:
        return (*schema.examples, *schema.enum)[0]
    if schema.variants or schema.all_of:
        return example((*schema.variants, *schema.all_of)[0], schemas)
    return schema.const if schema.const is not None else _of_type(schema, schemas)


def _of_type(schema: Schema, schemas: Mapping[str, Schema]) -> JsonValue:
    match schema.type:
        case "object":
            return {name: example(schema.properties.get(name, Schema()), schemas) for name in sorted(schema.required)}
        case "array":
            return [example(schema.items or Schema(), schemas)]
        case "integer" | "number":
            return int(schema.minimum or 0)
        case "boolean":
            return False
        case "string":
            return "2026-11-23T03:00:00Z" if schema.format == "date-time" else "text"
        case _:
            return {}


def command(call: Call, body: str | None) -> str:
    """The call by curl, with required parameters alone. `page.js` makes the same of a filled form."""
    required = [each for each in call.operation.parameters if each.required]
    path, query = (
        call.path,
        "&".join(f"{each.name}={_variable(each.name)}" for each in required if each.place == "query"),
    )
    for each in required:
        path = path.replace(f"{{{each.name}}}", _variable(each.name))
    verb = "curl" if call.method == "GET" else f"curl -X {call.method}"
    lines = [f'{verb} "$API{path}{"?" if query else ""}{query}"']
    if call.operation.security:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    lines += [f'-H "{each.name}: {_variable(each.name)}"' for each in required if each.place == "header"]
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"--data-raw {shlex.quote(body)}"]
    return " \\\n  ".join(lines)


def _variable(name: str) -> str:
    """The shell variable that stands for a parameter."""
    return f"${name.upper().replace('-', '_')}"
