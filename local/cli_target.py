"""Which API a command talks to, as whom, and what its end means."""

import functools
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

import click

from local.client import ApiClient, Json, Refusal, Unreachable
from local.state import Folder


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
    415: ExitCode.INVALID,
    422: ExitCode.INVALID,
}


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
        return ApiClient(url.rstrip("/"), self._token or mint(self._email, timedelta(hours=1)))

    def show(self, answer: Json | Refusal | Unreachable, line: Callable[[Json], str]) -> Json:
        """Print an answer, as JSON or as a line for people; a refusal ends the command with its code."""
        match answer:
            case Refusal():
                details = "".join(f"\n  {error}" for error in answer.errors)
                fail(f"{answer.code}: {answer.detail}{details}", _CODES.get(answer.status, ExitCode.ERROR))
            case Unreachable():
                why = f"nothing answers at {answer.url} ({answer.reason})"
                fail(f"{why}; is `headrace dev` running?", ExitCode.ERROR)
            case dict():
                click.echo(json.dumps(answer, ensure_ascii=False, indent=2) if self.as_json else line(answer))
                return answer


def mint(email: str, lifetime: timedelta) -> str:
    """A token that this folder's stack believes."""
    from local.tokens import local_authority

    return local_authority(folder()).mint(email, datetime.now(UTC), lifetime)


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of everything that talks HTTP, and a `Target` made of them."""

    @click.option("--url", envvar="HEADRACE_URL", help="The API; by default the stack of this folder.")
    @click.option(
        "--as", "email", envvar="HEADRACE_EMAIL", default="dev@example.com", show_default=True, help="Who asks."
    )
    @click.option("--token", envvar="HEADRACE_TOKEN", help="A token, instead of one minted with the local key.")
    @click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
    @functools.wraps(command)
    def targeted(url: str | None, email: str, token: str | None, as_json: bool, **rest: object) -> None:
        command(Target(url, email, token, as_json=as_json), **rest)

    return targeted
