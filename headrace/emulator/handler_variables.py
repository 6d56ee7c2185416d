"""The environment variables of handlers: from files, from the shell, and for their AWS clients from a profile.

The shell's value of a variable is preferred to a file's, as in other tools that read `.env`, and a file's to that of
`headrace.toml`. What Headrace sets itself
is never replaced, and a line of a file that would do so is reported. Values are never shown.
"""

from collections.abc import Collection, Mapping
from io import StringIO
from itertools import takewhile
from pathlib import Path

from pydantic import Field

from headrace.authoring.frozen import Frozen
from headrace.emulator.database import StackError

DEFAULT_FILE = ".env"
MAX_BYTES = 1024 * 1024
_SHOWN_PROFILES = 10
_OF_RUNTIME = ("AWS_LAMBDA_", "LAMBDA_", "POWERTOOLS_", "PYTHON", "_HANDLER", "_X_AMZN_")
"""Beginnings of the names of variables that Lambda, Powertools and Python read."""
_OF_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_REGION",    "AWS_DEFAULT_REGION", "AWS_ROLE_", "AWS_WEB_IDENTITY_", "AWS_CONTAINER_", "AWS_EC2_METADATA_",
)  # fmt: skip
"""Beginnings of the names by which the SDK finds credentials and a region."""


class Sources(Frozen):
    """Where the variables come from."""

    declared: dict[str, str] = Field(default_factory=dict, repr=False)
    """Those of `headrace.toml`, as far as their values are known here."""
    shell: dict[str, str] = Field(default_factory=dict, repr=False)
    files: tuple[Path, ...] = ()
    """Of two that have the same variable, the last one's counts."""
    optional: bool = False
    """Whether the files may be missing."""
    profile: str | None = None
    """The AWS profile of the handlers' clients; None leaves them at the emulator."""


class Found(Frozen):
    """The variables of handlers, without any that Headrace sets itself."""

    values: dict[str, str] = Field(repr=False)
    notes: tuple[str, ...] = ()
    """A sentence about each line of a file that has no effect."""


def sources(files: tuple[Path, ...], profile: str | None, shell: Mapping[str, str], folder: Path) -> Sources:
    """The named files, or `.env` in the project's folder where none is named; and the shell."""
    named = files or (folder / DEFAULT_FILE,)
    found = Sources(files=tuple(map(Path.absolute, named)), optional=not files, profile=profile)
    return found.model_copy(update={"shell": dict(shell)})  # As an argument, bandit takes `shell` for subprocess's.


def read_variables(sources: Sources, taken: Collection[str]) -> Found:
    """Read the files anew; `taken` are the names that Headrace sets.

    Raises `StackError` with a sentence, for a malformed file with the line, when a file cannot be used.
    """
    lines = [line for file in sources.files for line in _read(file, optional=sources.optional)]
    used = {name: value for _, name, value in lines if _refusal(name, taken) is None}
    shell = {name: value for name, value in sources.shell.items() if _refusal(name, taken) is None}
    refused = ((place, name, _refusal(name, taken)) for place, name, _ in lines)
    notes = tuple(f"{place}: {name} has no effect: {reason}" for place, name, reason in refused if reason is not None)
    return Found(values=sources.declared | used | shell, notes=notes)


def profile_variables(sources: Sources) -> dict[str, str] | None:
    """The variables by which the SDK uses the profile and its region; None without a profile.

    Credentials are not among them: the SDK reads and renews them where they are used. To be called before the stack
    changes the variables `AWS_*` of its own process. Raises `StackError` for a profile that does not exist.
    """
    if sources.profile is None:
        return None
    from botocore.session import Session  # Slow to import.

    session = Session(profile=sources.profile)
    known = session.available_profiles
    if sources.profile not in known:
        more = ", …" if len(known) > _SHOWN_PROFILES else ""
        there = f"there are: {', '.join(known[:_SHOWN_PROFILES])}{more}" if known else "there are none"
        where = "~/.aws/config and ~/.aws/credentials (or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE)"
        raise StackError(f"There is no AWS profile {sources.profile!r} in {where}; {there}.")
    files = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    shell = sources.shell
    region = session.get_scoped_config().get("region") or shell.get("AWS_REGION") or shell.get("AWS_DEFAULT_REGION")
    return {
        "AWS_PROFILE": sources.profile,
        **({"AWS_REGION": region, "AWS_DEFAULT_REGION": region} if region else {}),
        **{name: shell[name] for name in files if name in shell},
    }


class HandlerVariables:
    """The variables that handlers have in a running stack, until they are read anew."""

    def __init__(self, sources: Sources, taken: Collection[str]) -> None:
        self.files = sources.files
        self._sources = sources
        self._taken = taken
        self._values: Mapping[str, str] = {}

    def __call__(self) -> Mapping[str, str]:
        """As they were read last."""
        return self._values

    def declare(self, values: Mapping[str, str]) -> None:
        """Take other variables from `headrace.toml`, from the next reading on."""
        self._sources = self._sources.model_copy(update={"declared": dict(values)})

    def read(self) -> tuple[str, ...]:
        """Read the files anew, and return the notes; raises `StackError`, and then nothing has changed."""
        found = read_variables(self._sources, self._taken)
        self._values = found.values
        return found.notes


def is_of_credentials(name: str) -> bool:
    """Whether the SDK finds credentials or a region by this variable."""
    return name.startswith(_OF_CREDENTIALS)


def _refusal(name: str, taken: Collection[str]) -> str | None:
    """Why a variable is not passed on; None if it is."""
    if is_of_credentials(name):
        return "handlers get real AWS credentials and their region by --aws-profile"
    if name in taken:
        return "Headrace sets it itself"
    return "it is the function's runtime that reads it" if name == "TZ" or name.startswith(_OF_RUNTIME) else None


def _read(file: Path, *, optional: bool) -> list[tuple[str, str, str]]:
    """Place, name and value of each variable in a file."""
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    here = Path.cwd()
    shown = str(file.relative_to(here) if file.is_relative_to(here) else file)
    try:
        text = _text(file, shown)
    except FileNotFoundError:
        if optional:
            return []
        raise StackError(f"The file of environment variables {shown} does not exist.") from None
    bindings = list(parse_stream(StringIO(text)))
    for each in bindings:
        if each.error or (each.key is not None and each.value is None) or "\0" in each.original.string:
            # A binding begins with the empty lines before it.
            empty = sum(1 for _ in takewhile(lambda line: not line.strip(), each.original.string.splitlines()))
            raise StackError(f"{shown}:{each.original.line + empty}: this is not NAME=VALUE.")
    values = dotenv_values(stream=StringIO(text))
    last = {each.key: each.original.line for each in bindings}
    return [(f"{shown}:{last[name]}", name, value) for name, value in values.items() if value is not None]


def _text(file: Path, shown: str) -> str:
    """Raises `FileNotFoundError`, and `StackError` for all other reasons why it is no text."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise StackError(f"{shown} has more than {MAX_BYTES:,} bytes: it is no file of environment variables.")
        return content.decode()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StackError(f"The file of environment variables {shown} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StackError(f"{shown}:{line}: this is not UTF-8.") from None
