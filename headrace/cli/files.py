"""`headrace files`, and the files that `headrace submit` uploads."""

import mimetypes
import os
import sys
import tempfile
from pathlib import Path

import click
from pydantic import BaseModel, JsonValue, ValidationError

from headrace.cli.target import ExitCode, Target, fail, json_text, with_target
from headrace.client.api_client import ApiClient, Json, path_segment
from headrace.client.failures import Refusal, Unreachable
from headrace.client.transfers import Received, UploadLink, receive, send

UNKNOWN_TYPE = "application/octet-stream"


class Requested(BaseModel):
    """The members of a requested upload that the command line uses."""

    id: str
    upload: UploadLink


@click.group()
def files() -> None:
    """Upload and download files that jobs read and write."""


@files.command("put")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What the file is called; by default as it is here.")
@click.option("--type", "content_type", help="Its media type, such as text/csv; by default by its name.")
@with_target
def put(target: Target, path: Path, name: str | None, content_type: str | None) -> None:
    """Upload a file, and print its id. A payload names it as {"id": "…"}."""
    requested = upload(target, target.client(), path, name, content_type)
    click.echo(json_text(requested, indent=2) if target.as_json else str(requested["id"]))


@files.command("get")
@click.argument("id")
@click.option("--output", help="Where to write it; - is stdout. By default under its own name, in this folder.")
@with_target
def get(target: Target, id: str, output: str | None) -> None:
    """Download a file, and print where it is."""
    if output == "-" and target.as_json:
        raise click.UsageError("with --output - the file itself is on stdout: leave --json out")
    link = target.client().link(f"/v1/files/{path_segment(id)}")
    if not isinstance(link, str):
        target.checked(link)
        fail("the answer is not a link to a file", ExitCode.ERROR)
    if output == "-":
        received = _checked(target, receive(link, sys.stdout.buffer))
        sys.stdout.buffer.flush()
    else:
        path, received = _into_folder(target, link, None if output is None else Path(output))
        document: JsonValue = {"id": id, "path": str(path), "size": received.size}
        click.echo(json_text(document, indent=2) if target.as_json else str(path))
    click.echo(f"{received.size:,} bytes", err=True)


def upload(target: Target, client: ApiClient, path: Path, name: str | None, content_type: str | None) -> Json:
    """Upload a file; returns the response that described it. A refusal ends the command."""
    guessed = content_type or mimetypes.guess_type(path.name)[0] or UNKNOWN_TYPE
    body: dict[str, JsonValue] = {
        "name": name or path.name, "content_type": guessed, "size": path.stat().st_size,
    }  # fmt: skip
    described = target.checked(client.call("POST", "/v1/files", json_text(body)))
    try:
        link = Requested.model_validate(described).upload
    except ValidationError:
        fail("the server is not Headrace: its response is no upload", ExitCode.ERROR)
    with path.open("rb") as content:
        refused = send(link, content)
    if refused is not None:
        target.refused(refused)
    return {name: value for name, value in described.items() if name != "upload"}


def file_field(target: Target, client: ApiClient, type: str) -> str | None:
    """The member of the type's payload that is a file, if exactly one is."""
    described = target.checked(client.call("GET", f"/v1/job-types/{path_segment(type)}"))
    match described.get("payload_schema"):
        case {"properties": dict(properties)}:
            fields = [name for name, schema in properties.items() if _is_file(schema)]
            return fields[0] if len(fields) == 1 else None
        case _:
            return None


def _is_file(schema: JsonValue) -> bool:
    match schema:
        case {"$ref": "#/$defs/File"}:
            return True
        case {"anyOf": list(choices)} | {"allOf": list(choices)}:
            return any(map(_is_file, choices))
        case _:
            return False


def _into_folder(target: Target, link: str, path: Path | None) -> tuple[Path, Received]:
    """Download beside the final place, and move it there when it is complete; returns the place."""
    folder = Path() if path is None else path.parent
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".headrace-")
    try:
        with os.fdopen(descriptor, "wb") as sink:
            received = _checked(target, receive(link, sink))
        final = path or folder / (Path(received.name or "").name or "file")
        if path is None and final.exists():
            fail(f"{final} exists already; give --output", ExitCode.CONFLICT)
        Path(temporary).replace(final)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return final, received


def _checked(target: Target, received: Received | Refusal | Unreachable) -> Received:
    if not isinstance(received, Received):
        target.refused(received)
    return received
