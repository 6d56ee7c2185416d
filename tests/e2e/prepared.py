"""Runs `headrace` commands in forks of one process that has imported it: a start of Python would cost each a second.

Started as a script. Each line of its stdin is a command in JSON; for each it writes a line, with the exit code.
"""

import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn, TypedDict


class Command(TypedDict):
    """A command: what follows `headrace`, and the process's environment."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[str]
    """The files that are its stdin, stdout and stderr."""
    seconds: int
    """Then it is killed."""


def serve() -> None:
    """Run the commands one after another."""
    import samtranslator.translator.transform  # noqa: F401 - what most commands import late

    import headrace.cli.main
    import headrace.emulator.stack  # noqa: F401 - as above

    for line in sys.stdin:
        command: Command = json.loads(line)
        child = os.fork()
        if child == 0:
            become(command)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def become(command: Command) -> NoReturn:
    """Be the process of the command."""
    from headrace.cli.main import main

    signal.alarm(command["seconds"])
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    _redirect(command["streams"])
    code = 1
    try:
        main(command["arguments"], prog_name="headrace")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as Python ends a process with what nobody has caught
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(streams: Sequence[str]) -> None:
    for number, (path, flags) in enumerate(zip(streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        os.dup2(os.open(path, flags), number)
    sys.stdin = io.TextIOWrapper(io.FileIO(0), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(2, "w")), encoding="utf-8", line_buffering=True)


if __name__ == "__main__":
    sys.path.pop(0)  # The tests' folder, which an installed command does not see.
    serve()
