"""What a local stack leaves in its folder, `.headrace/`: where it runs, and its secrets."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from domain.frozen import Frozen


class Running(Frozen):
    """Where the stack of this folder answers."""

    url: str
    endpoint_url: str
    pid: int


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
        return self.private(name, lambda: secrets.token_hex(32))

    def private(self, name: str, make: Callable[[], str]) -> str:
        """The content of a file that only its owner can read; made if it is not there."""
        self.create()
        path = self.path / name
        if path.exists():
            return path.read_text()
        fresh = make()
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text()
        with os.fdopen(descriptor, "w") as file:
            file.write(fresh)
        return fresh

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
