"""The files of a local stack in its folder `.headrace/`: its address, secrets, database and logs."""

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
    """The addresses and process id of this folder's running stack."""

    url: str
    endpoint_url: str
    queues_url: str | None = None
    """Where its queues are; None in what an earlier version noted."""
    s3_url: str = ""
    pid: Annotated[int, Field(gt=0, lt=2**31)]


class Folder:
    """The `.headrace/` folder, accessible to its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def database(self) -> Path:
        """Where the embedded database keeps its tables between runs."""
        return self.path / "database"

    @property
    def blobs(self) -> Path:
        """Where S3 keeps its objects when the database is not the embedded one."""
        return self.path / "blobs"

    @property
    def logs(self) -> Path:
        """The logs of the functions and of the database."""
        return self.path / "logs"

    def function_log(self, name: str) -> Path:
        """The log of a function; what is older is in `NAME.log.1`."""
        return self.logs / f"{name}.log"

    def queue(self, name: str) -> Path:
        """The file that stands in for an SQS queue: one message a line."""
        return self.path / f"{name}.jsonl"

    def create(self) -> None:
        """Create the folder if it is missing, and make it accessible to its owner only."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def secret(self, name: str) -> str:
        """A random secret of this machine, generated on first use: 64 hexadecimal digits."""
        found = self.private(name, lambda: secrets.token_hex(32))
        if not _SECRET.fullmatch(found):
            raise self.unusable(name)
        return found

    def private(self, name: str, make: Callable[[], str]) -> str:
        """Read a file that only its owner can read; `make` supplies the content if the file is missing."""
        self.create()
        path = self.path / name
        if not path.exists():
            self._make(path, make())
        try:
            return path.read_text("ascii")
        except UnicodeDecodeError:
            raise self.unusable(name) from None

    def unusable(self, name: str) -> StackError:
        """The error for a private file whose content is not what was written to it."""
        return StackError(f"{self.path / name} is not what Headrace wrote; remove it, and a new one will be created.")

    def _make(self, path: Path, content: str) -> None:
        """Create the file atomically: it appears complete, and of two concurrent creators the first one wins."""
        descriptor, temporary = tempfile.mkstemp(dir=self.path)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
        with suppress(FileExistsError):
            os.link(temporary, path)
        Path(temporary).unlink()

    def note(self, running: Running) -> None:
        """Record the running stack, so that other commands find it."""
        (self.path / "stack.json").write_text(running.model_dump_json())

    def running(self) -> Running | None:
        """The running stack of this folder, or None."""
        try:
            running = Running.model_validate_json((self.path / "stack.json").read_text())
            os.kill(running.pid, 0)
        except (OSError, ValueError):
            return None
        return running

    def forget(self) -> None:
        """Remove the record of the running stack."""
        (self.path / "stack.json").unlink(missing_ok=True)
