"""`headrace files`, and the files that `headrace submit` uploads."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import JsonValue

from headrace.cli.job_types import described
from headrace.cli.target import ExitCode, Target, fail, json_text, with_target

if TYPE_CHECKING:
    from headrace_client import Client, Downloaded


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
    file = target.client().upload(path, name=name, content_type=content_type)
    click.echo(json_text(file.raw, indent=2) if target.as_json else file.id)


@files.command("get")
@click.argument("id")
@click.option("--output", help="Where to write it; - is stdout. By default under its own name, in this folder.")
@with_target
def get(target: Target, id: str, output: str | None) -> None:
    """Download a file, and print where it is."""
    if output == "-" and target.as_json:
        raise click.UsageError("with --output - the file itself is on stdout: leave --json out")
    client = target.client()
    if output == "-":
        received = client.download(id, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        path, received = _into_folder(client, id, None if output is None else Path(output))
        document: JsonValue = {"id": id, "path": str(path), "size": received.size}
        click.echo(json_text(document, indent=2) if target.as_json else str(path))
    click.echo(f"{received.size:,} bytes", err=True)


def file_field(client: "Client", type: str) -> str | None:
    """The member of the type's payload that is a file, if exactly one is."""
    match described(client, type).get("payload_schema"):
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


def _into_folder(client: "Client", id: str, path: Path | None) -> "tuple[Path, Downloaded]":
    """Download beside the final place, and move it there when it is complete; returns the place."""
    folder = Path() if path is None else path.parent
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".headrace-")
    try:
        with os.fdopen(descriptor, "wb") as sink:
            received = client.download(id, sink)
        final = path or folder / (Path(received.name or "").name or "file")
        if path is None and final.exists():
            fail(f"{final} exists already; give --output", ExitCode.CONFLICT)
        Path(temporary).replace(final)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return final, received
