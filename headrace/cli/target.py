"""Which API a command talks to, as whom, and what its end means."""

import codecs
import functools
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, NoReturn

import click
from pydantic import JsonValue
from pydantic_core import from_json

from domain.users.user import InvalidEmail, normalise_email
from headrace.cli.types import URL
from headrace.client.api_client import ApiClient, Failure, Foreign, Json, Refusal, Unreachable
from headrace.emulator.state import Folder


class ExitCode(IntEnum):
    """What a command's end means to a script."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    INVALID = 5
    NOT_ALLOWED = 6
    JOB_FAILED = 7
    TIMED_OUT = 8


_CODES = {
    400: ExitCode.INVALID,
    401: ExitCode.NOT_ALLOWED,
    403: ExitCode.NOT_ALLOWED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    413: ExitCode.INVALID,
    414: ExitCode.INVALID,
    415: ExitCode.INVALID,
    422: ExitCode.INVALID,
    431: ExitCode.INVALID,
}
MAX_INPUT_BYTES = 6 * 1024 * 1024
"""Of a payload or an event: Lambda's limit."""
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What can stand in a header behind `Bearer`."""


def folder() -> Folder:
    """The stack's folder, below the one that the command is run in."""
    return Folder(Path.cwd() / ".headrace")


def fail(message: str, code: ExitCode) -> NoReturn:
    """End with one sentence on stderr."""
    click.echo(f"headrace: {message}", err=True)
    sys.exit(code)


class Target:
    """Which API a command talks to, and as whom."""

    def __init__(self, url: str | None, email: str, token: str | None, *, as_json: bool) -> None:
        self._url = url
        self._email = email
        self._token = token
        self.as_json = as_json

    def client(self) -> ApiClient:
        """A client with a token: the given one, or one minted with this folder's key."""
        running = folder().running()
        url = self._url or (running.url if running else None)
        if url is None:
            fail("no stack runs in this folder; start one with `headrace dev`, or give --url", ExitCode.ERROR)
        if self._token is not None and not _TOKEN.fullmatch(self._token):
            fail("what --token gives is not a token", ExitCode.NOT_ALLOWED)
        return ApiClient(url, mint(self._email, timedelta(hours=1)) if self._token is None else self._token)

    def show(self, answer: Json | Failure, line: Callable[[Json], str]) -> Json:
        """Print an answer, as JSON or as a line for people; a refusal ends the command with its code."""
        match answer:
            case Refusal():
                details = "".join(f"\n  {error}" for error in answer.errors)
                fail(f"{answer.code}: {answer.detail}{details}", _CODES.get(answer.status, ExitCode.ERROR))
            case Unreachable():
                why = f"nothing answers at {answer.url} ({answer.reason})"
                fail(f"{why}; is `headrace dev` running?", ExitCode.ERROR)
            case Foreign():
                fail(f"{answer.url} does not answer as Headrace does: {answer.reason}", ExitCode.ERROR)
            case dict():
                text = _read_by(line, answer)
                click.echo(json_text(answer, indent=2) if self.as_json else text)
                return answer


def _read_by(line: Callable[[Json], str], answer: Json) -> str:
    """The line for people; an answer that it cannot be made of is not Headrace's."""
    try:
        return line(answer)
    except (KeyError, TypeError, ValueError):
        fail("what answers is not Headrace: a member of its answer is missing or of another kind", ExitCode.ERROR)


def json_text(document: JsonValue, indent: int | None = None) -> str:
    """The document for stdout: as it is where that can be written, else escaped as JSON escapes."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return json.dumps(document, indent=indent)
    return text


def read_json(text: str | bytes, what: str) -> JsonValue:
    """Strict JSON in UTF-8 (RFC 8259); anything else ends the command. `what` names it in the sentence."""
    try:
        document: JsonValue = from_json(text.encode() if isinstance(text, str) else text, allow_inf_nan=False)
        json.dumps(document, allow_nan=False)
    except ValueError as error:
        fail(f"{what} is not JSON: {error}", ExitCode.INVALID)
    return document


def read_limited(source: BinaryIO, what: str) -> bytes:
    """All of a file, without the mark that some editors begin it with; one that is too large ends the command."""
    content = source.read(MAX_INPUT_BYTES + 1)
    if len(content) > MAX_INPUT_BYTES:
        fail(f"{what} has more than {MAX_INPUT_BYTES} bytes", ExitCode.INVALID)
    return content.removeprefix(codecs.BOM_UTF8)


def mint(email: str, lifetime: timedelta) -> str:
    """A token that this folder's stack believes."""
    from headrace.emulator.tokens import local_authority

    address = normalise_email(email)
    if isinstance(address, InvalidEmail):
        fail(f"invalid_email: {address.reason}", ExitCode.INVALID)
    return local_authority(folder()).mint(address, datetime.now(UTC), lifetime)


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of everything that talks HTTP, and a `Target` made of them."""

    @click.option("--url", type=URL, envvar="HEADRACE_URL", help="The API; by default the stack of this folder.")
    @click.option(
        "--as", "email", envvar="HEADRACE_EMAIL", default="dev@example.com", show_default=True, help="Who asks."
    )
    @click.option("--token", envvar="HEADRACE_TOKEN", help="A token, instead of one minted with the local key.")
    @click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
    @functools.wraps(command)
    def targeted(url: str | None, email: str, token: str | None, as_json: bool, **rest: object) -> None:
        command(Target(url, email, token, as_json=as_json), **rest)

    return targeted
