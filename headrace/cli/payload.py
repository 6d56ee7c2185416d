"""The payload that `headrace submit` sends: JSON from an option or a file, and the files that it uploads for it."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic import JsonValue

from headrace.authoring.json_text import to_json_text
from headrace.cli.files import file_field
from headrace.cli.target import ExitCode, Target, fail, read_json, read_limited

_MEMBER = re.compile(r"(?P<member>[A-Za-z_][A-Za-z0-9_]*)=(?P<path>.+)", re.DOTALL)


@dataclass(frozen=True)
class Sources:
    """Where a payload comes from."""

    text: str | None
    """JSON."""
    file: str | None
    """A path, or - for stdin."""
    members: tuple[tuple[str, Path], ...]
    """Files to upload, and the members that name them."""


def sorted_sources(payload: str | None, sources: tuple[str, ...]) -> Sources:
    """What the options say; raises `UsageError` for what they cannot say together."""
    found = [(source, _MEMBER.fullmatch(source)) for source in sources]
    documents = [source for source, member in found if member is None or Path(source).exists()]
    members = tuple(
        (member["member"], Path(member["path"]))
        for source, member in found
        if member is not None and source not in documents
    )
    if len(documents) + (payload is not None) > 1 or not (documents or payload is not None or members):
        raise click.UsageError("give either --payload or --file")
    for path in [*(path for _, path in members), *(Path(source) for source in documents if source != "-")]:
        if not path.is_file():
            raise click.UsageError(f"there is no file {str(path)!r}")
    return Sources(payload, documents[0] if documents else None, members)


def payload_text(target: Target, type: str, sources: Sources) -> bytes:
    """The payload as JSON, exactly as it was written where no file is uploaded for it."""
    content, members = _content(target, type, sources)
    document = read_json(content, "the payload")
    if not members:
        return content
    if not isinstance(document, dict):
        fail("the payload is not a JSON object, so that it cannot name a file", ExitCode.INVALID)
    client = target.client()
    uploaded: dict[str, JsonValue] = {name: {"id": client.upload(path).id} for name, path in members}
    return to_json_text({**document, **uploaded}).encode()


def _content(target: Target, type: str, sources: Sources) -> tuple[bytes, tuple[tuple[str, Path], ...]]:
    if sources.text is not None:
        return sources.text.encode(), sources.members
    if sources.file is None:
        return b"{}", sources.members
    if sources.file != "-" and not _may_be_json(Path(sources.file)):
        member = file_field(target.client(), type)
        if member is not None:
            return b"{}", (*sources.members, (member, Path(sources.file)))
    if sources.file == "-":
        return read_limited(sys.stdin.buffer, "the payload"), sources.members
    with Path(sources.file).open("rb") as file:
        return read_limited(file, "the payload"), sources.members


def _may_be_json(path: Path) -> bool:
    """Whether the file is meant as a payload: by its suffix, else by its content, of which large data is not read."""
    if path.suffix in {"", ".json"}:
        return True
    with path.open("rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith((b"{", b"[", b'"')):
        return False
    try:
        json.loads(path.read_bytes()) if path.stat().st_size < 2**23 else None
    except ValueError:
        return False
    return True
