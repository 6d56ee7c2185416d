"""What commands share: the API and the user they call it as, exit codes, and reading and printing JSON."""

import codecs
import functools
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import click
from pydantic import JsonValue
from pydantic_core import from_json

from domain.users.user import InvalidEmail, normalise_email
from headrace.cli.types import URL
from headrace.emulator.current_project import project_folder
from headrace.emulator.state import Folder

if TYPE_CHECKING:
    from headrace_client import Client, HeadraceError, Refused

Json = dict[str, JsonValue]


class ExitCode(IntEnum):
    """The exit codes of the command line."""

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
"""Lambda's limit, for a payload or an event."""
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""The form of a token in an Authorization header."""


def folder() -> Folder:
    """The stack's folder: `.headrace` in the project's folder, outside a project in the current one."""
    return Folder(project_folder() / ".headrace")


def fail(message: str, code: int) -> NoReturn:
    """Exit with a one-sentence message on stderr."""
    click.echo(f"headrace: {message}", err=True)
    sys.exit(code)


def without_stack() -> str:
    """The start of the sentence for a folder without a running stack; it names a parent folder that has one."""
    for parent in Path.cwd().parents:
        if Folder(parent / ".headrace").running() is not None:
            return f"no stack runs in this folder, but one runs in {parent}; run the command there"
    return "no stack runs in this folder; start one with `headrace dev`, run the command in the folder of another"


class Target:
    """The API that a command calls, and the user or token it calls it with."""

    def __init__(self, url: str | None, email: str, token: str | None, *, as_json: bool) -> None:
        self._url = url
        self._email = email
        self._token = token
        self._is_local = False
        self.as_json = as_json

    def client(self) -> "Client":
        """Create a client with the given token, or with one signed by this folder's key."""
        from headrace_client import NO_RETRY, Client  # Here, because it is slow to import.

        running = folder().running()
        url = self._url or (running.url if running else None)
        if url is None:
            fail(f"{without_stack()}, or give --url", ExitCode.ERROR)
        self._is_local = running is not None and url == running.url
        if self._token is not None and not _TOKEN.fullmatch(self._token):
            fail("the value of --token is not a token", ExitCode.NOT_ALLOWED)
        token = self._token or mint(self._email, timedelta(hours=1), ", or give --token")
        return Client(url, token=token, retry=NO_RETRY)  # Who sits before a terminal wants to know at once.

    def show(self, document: Json, format_text: Callable[[Json], str]) -> Json:
        """Print a response, as JSON or as text."""
        text = _formatted(format_text, document)
        shown = json_text(document, indent=2) if self.as_json else text
        if shown:
            click.echo(shown)
        return document

    def refused(self, error: "HeadraceError") -> NoReturn:
        """End the command with the exit code of a failure."""
        from headrace_client import Refused, Unreachable

        match error:
            case Refused(problem=problem):
                details = "".join(f"\n  {flaw.pointer}: {flaw.detail}" for flaw in problem.errors)
                text = f"{problem.code}: {problem.detail}{self._advice(error)}{details}"
                fail(text, _CODES.get(problem.status, ExitCode.ERROR))
            case Unreachable():
                fail(f"{error}; is `headrace dev` running?", ExitCode.ERROR)
            case _:
                fail(str(error), ExitCode.ERROR)

    def _advice(self, refused: "Refused") -> str:
        """How to solve a refusal that has a remedy on this machine."""
        if refused.problem.code != "unknown_user" or not self._is_local:
            return ""
        email = self._email if self._token is None else "EMAIL"
        return f" `headrace users create {email}` creates the user."


def _formatted(format_text: Callable[[Json], str], response: Json) -> str:
    """Format a response as text; one that lacks the members of Headrace's responses ends the command."""
    try:
        return format_text(response)
    except (KeyError, TypeError, ValueError):
        fail("the server is not Headrace: a member of its response is missing or of the wrong type", ExitCode.ERROR)


def json_text(document: JsonValue, indent: int | None = None) -> str:
    """Serialize the document for stdout; escape non-ASCII only if the encoding of stdout cannot represent it."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return json.dumps(document, indent=indent)
    return text


def read_json(text: str | bytes, what: str) -> JsonValue:
    """Parse strict JSON in UTF-8 (RFC 8259); anything else ends the command. `what` names it in the message."""
    try:
        document: JsonValue = from_json(text.encode() if isinstance(text, str) else text, allow_inf_nan=False)
        json.dumps(document, allow_nan=False)
    except ValueError as error:
        fail(f"{what} is not JSON: {error}", ExitCode.INVALID)
    return document


def read_limited(source: BinaryIO, what: str) -> bytes:
    """Read a whole file, without a byte order mark; a file that is too large ends the command."""
    content = source.read(MAX_INPUT_BYTES + 1)
    if len(content) > MAX_INPUT_BYTES:
        fail(f"{what} has more than {MAX_INPUT_BYTES} bytes", ExitCode.INVALID)
    return content.removeprefix(codecs.BOM_UTF8)


def mint(email: str, lifetime: timedelta, otherwise: str = "") -> str:
    """Sign a token that this folder's stack accepts; `otherwise` ends the sentence for a folder without a stack."""
    from headrace.emulator.tokens import has_key, local_authority

    address = normalise_email(email)
    if isinstance(address, InvalidEmail):
        fail(f"invalid_email: {address.reason}", ExitCode.INVALID)
    if not has_key(folder()):
        fail(
            "no stack has run in this folder, so nothing would accept a token signed here; run the command in the "
            f"folder where `headrace dev` runs{otherwise}",
            ExitCode.ERROR,
        )
    return local_authority(folder()).mint(address, datetime.now(UTC), lifetime)


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator: adds the options of commands that call the API, and passes a `Target` built from them.

    What the API refuses ends the command with a sentence.
    """

    @click.option("--url", type=URL, envvar="HEADRACE_URL", help="The API; by default the stack of this folder.")
    @click.option(
        "--as", "email", envvar="HEADRACE_EMAIL", default="dev@example.com", show_default=True, help="The calling user."
    )
    @click.option("--token", envvar="HEADRACE_TOKEN", help="A token to use instead of one signed with the local key.")
    @click.option("--json", "as_json", is_flag=True, help="Print the whole response as JSON.")
    @functools.wraps(command)
    def targeted(url: str | None, email: str, token: str | None, as_json: bool, **rest: object) -> None:
        from headrace_client import HeadraceError

        target = Target(url, email, token, as_json=as_json)
        try:
            command(target, **rest)
        except HeadraceError as error:
            target.refused(error)

    return targeted
