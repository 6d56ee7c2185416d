"""`headrace types`: the job types that can be submitted, each with an example payload."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel, JsonValue

from headrace.cli.example import Schema, example_of
from headrace.cli.folding import folded, folded_text, terminal_columns
from headrace.cli.target import ExitCode, Json, Target, fail, json_text, with_target

if TYPE_CHECKING:
    from headrace_client import Client


class _Type(BaseModel):
    """The members of a job type that the command uses."""

    name: str
    summary: str
    max_attempts: int
    timeout_seconds: float
    payload_schema: Schema


@click.command()
@click.argument("type", required=False)
@click.option("--example", is_flag=True, help="Print only an example payload of TYPE, as JSON.")
@with_target
def types(target: Target, type: str | None, example: bool) -> None:
    """List the job types; with TYPE, show its payload and an example."""
    if type is None:
        if example:
            raise click.UsageError("--example needs a TYPE")
        target.show(_all(target), _list_text)
        return
    found = described(target.client(), type)
    schema = found.get("payload_schema")
    document = example_of(schema if isinstance(schema, dict) else {})
    if example:
        click.echo(json_text(document, indent=2))
        return
    target.show({**found, "example": document}, _type_text)


def described(client: "Client", type: str) -> Json:
    """What the API says of a job type."""
    from headrace_client import path_segment

    return client.call("GET", f"/job-types/{path_segment(type)}")


def _all(target: Target) -> Json:
    """Every job type, from as many pages as there are, in the form of one page."""
    client, items, cursor = target.client(), list[JsonValue](), dict[str, str]()
    while True:
        page = client.call("GET", "/job-types", params=cursor)
        found = page.get("items")
        if not isinstance(found, list):
            fail("the server is not Headrace: its response has no items", ExitCode.ERROR)
        items = [*items, *found]
        if not page.get("next"):
            return {"items": items, "next": None}
        cursor = {"cursor": str(page["next"])}


def _list_text(page: Json) -> str:
    items = page["items"]
    found = [_Type.model_validate(item) for item in (items if isinstance(items, list) else [])]
    width = max((len(each.name) for each in found), default=0)
    columns = terminal_columns()
    lines = [folded_text(f"{each.name:<{width}}  ", each.summary, columns) for each in found]
    return "\n".join(line for each in lines for line in each)


def _type_text(response: Json) -> str:
    one = _Type.model_validate(response)
    command = f"headrace submit {one.name} --payload {shlex.quote(json_text(response['example']))}"
    limits = f"attempts {one.max_attempts}, timeout {one.timeout_seconds:g} s"
    return "\n".join(
        [f"{one.name}  {one.summary}", limits, "payload", *_members(one.payload_schema), "example", command]
    )


def _members(schema: Schema) -> Iterator[str]:
    """The members of the payload, a line each: name, type, whether it is required, description."""
    properties, required = schema.get("properties"), schema.get("required")
    members = properties if isinstance(properties, dict) else {}
    width = max((len(name) for name in members), default=0)
    for name, member in members.items():
        described = member if isinstance(member, dict) else {}
        needed = "required" if name in (required if isinstance(required, list) else []) else _default(described)
        text = described.get("description")
        parts = (f"  {name:<{width}}  {_kind(described)}, {needed}", str(text or ""))
        yield from folded(parts, terminal_columns())


def _default(member: Schema) -> str:
    return f"default {json_text(member['default'])}" if "default" in member else "optional"


def _kind(member: Schema) -> str:
    """The JSON type of a member, such as `string` or `integer or null`."""
    alternatives = member.get("anyOf")
    if isinstance(alternatives, list):
        return " or ".join(dict.fromkeys(_kind(each) for each in alternatives if isinstance(each, dict)))
    reference = member.get("$ref")
    return str(member.get("type", reference.rpartition("/")[2] if isinstance(reference, str) else "any"))
