"""What a local stack leaves in its folder, `.headrace/`: where it runs, and its secrets."""

import os
import re
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import Field

from headrace.authoring.frozen import Frozen
from headrace.emulator.database import StackError

_SECRET = re.compile(r"[0-9a-f]{64}")


class Running(Frozen):
    """Where the stack of this folder answers."""

    url: str
    endpoint_url: str
    pid: Annotated[int, Field(gt=0, lt=2**31)]


class Folder:
    """The folder, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def database(self) -> Path:
        """Where the embedded database keeps its tables between runs."""
        return self.path / "database"

    @property
    def logs(self) -> Path:
        """The logs of the functions and of the database."""
        return self.path / "logs"

    def queue(self, name: str) -> Path:
        """The file that stands in for an SQS queue: one message a line."""
        return self.path / f"{name}.jsonl"

    def create(self) -> None:
        """Make the folder, or take from others the right to look into it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def secret(self, name: str) -> str:
        """A random secret of this machine, made at its first use: 64 hexadecimal digits."""
        found = self.private(name, lambda: secrets.token_hex(32))
        if not _SECRET.fullmatch(found):
            raise self.unusable(name)
        return found

    def private(self, name: str, make: Callable[[], str]) -> str:
        """The content of a file that only its owner can read; made if it is not there."""
        self.create()
        path = self.path / name
        if not path.exists():
            self._make(path, make())
        try:
            return path.read_text("ascii")
        except UnicodeDecodeError:
            raise self.unusable(name) from None

    def unusable(self, name: str) -> StackError:
        """What to say of a private file that holds something else than what was written to it."""
        return StackError(f"{self.path / name} is not what Headrace wrote; remove it, and a new one is made.")

    def _make(self, path: Path, content: str) -> None:
        """Nobody sees the file before it is complete; of two that make it at once, one is kept."""
        descriptor, temporary = tempfile.mkstemp(dir=self.path)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
        with suppress(FileExistsError):
            os.link(temporary, path)
        Path(temporary).unlink()

    def note(self, running: Running) -> None:
        """Tell other commands where the stack is."""
        (self.path / "stack.json").write_text(running.model_dump_json())

    def running(self) -> Running | None:
        """The stack of this folder, if one runs."""
        try:
            running = Running.model_validate_json((self.path / "stack.json").read_text())
            os.kill(running.pid, 0)
        except (OSError, ValueError):
            return None
        return running

    def forget(self) -> None:
        """The stack has ended."""
        (self.path / "stack.json").unlink(missing_ok=True)
