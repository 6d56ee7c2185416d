"""The embedded database: MiniStack in a separate process and virtual environment."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from headrace.emulator.cloudformation import NO_FILES, REGION
from headrace.emulator.database_environment import IS_CLONE, database_python, install_database

CHILD = Path(__file__).with_name("ministack_child.py")
START_SECONDS = 30
STOP_SECONDS = 15
WATCH_SECONDS = 0.5
LEAST_FREE = 100 * 1000**2
"""Bytes on the disk below which a person is warned, and the gateway accepts nothing."""
Address = tuple[str, int]
"""Host and port."""
DATABASE_AND_S3: Mapping[str, str] = {"SERVICES": "dynamodb,dynamodbstreams,s3"}
QUEUES_AND_S3: Mapping[str, str] = {"SERVICES": "sqs,s3"}
ALL_SERVICES: Mapping[str, str] = {"SERVICES": "dynamodb,dynamodbstreams,sqs,s3"}


class StackError(Exception):
    """The local stack cannot continue; the message says in one sentence why, and what to do."""


def free_port() -> int:
    """Find a port of 127.0.0.1 that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def local_credentials() -> dict[str, str]:
    """Dummy credentials: an emulator requires some, and real ones must not be sent to it."""
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **NO_FILES,
    }


class EmbeddedDatabase:
    """A running MiniStack."""

    def __init__(
        self, url: str, process: subprocess.Popen[bytes], log: Path, free: Callable[[], int] = lambda: LEAST_FREE
    ) -> None:
        self.url = url
        self._process = process
        self._log = log
        self._free = free

    def is_nearly_full(self) -> bool:
        """Whether what is accepted now might not be saved when the process stops."""
        return self._free() < LEAST_FREE

    async def watch(self) -> None:
        """Wait, and raise `StackError` when the process ends by itself; say it once when its disk is nearly full.

        MiniStack answers as if it had stored what it could not write (1.5.33): the loss shows after the next start.
        """
        told = False
        while self._process.poll() is None:
            if not told and (left := self._free()) < LEAST_FREE:
                told = True
                print(_full(left), file=sys.stderr, flush=True)
            await asyncio.sleep(WATCH_SECONDS)
        raise StackError(f"The embedded database ended with code {self._process.returncode}; see {self._log}.")


@asynccontextmanager
async def embedded_database(
    state: Path | None, log: Path, settings: Mapping[str, str] = ALL_SERVICES, at: Address | None = None
) -> AsyncIterator[EmbeddedDatabase]:
    """Start MiniStack on a free port of 127.0.0.1, or `at` an address, and stop it afterwards.

    With `state`, a folder, a graceful stop saves the tables there and the next start loads them.
    `settings` are environment variables that MiniStack reads.
    """
    await _ensure_installed()
    host, port = at or ("127.0.0.1", free_port())
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **local_credentials(),
        "BIND_HOST": host,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(log.parent),
        **settings,
    }
    if state is not None:
        environment |= {"PERSIST_STATE": "1", "STATE_DIR": str(state), "S3_PERSIST": "1", "S3_DATA_DIR": f"{state}/s3"}
    if state is not None:
        _check_state(state)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(  # noqa: ASYNC220 - it only forks
            [str(database_python()), str(CHILD)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        await _await_listening(process, host, port, log)
        yield EmbeddedDatabase(f"http://{host}:{port}", process, log, _free_of(state))
    finally:
        await _stop(process)


def _free_of(state: Path | None) -> Callable[[], int]:
    """Tells how many bytes the disk of the state has left; without state nothing is written."""
    if state is None:
        return lambda: LEAST_FREE
    return lambda: shutil.disk_usage(next(path for path in (state, *state.parents) if path.exists())).free


def _full(left: int) -> str:
    return (
        f"headrace: the disk of the local database has {left // 1000**2} MB left, so no more jobs and files are"
        " accepted; make room before you stop the stack, which only then saves those that it has"
    )


async def _ensure_installed() -> None:
    if database_python().exists():
        return
    if IS_CLONE:
        raise StackError("The embedded database is not installed; run `make setup`.")
    sys.stderr.write("installing the embedded database, which is needed once\n")
    problem = await asyncio.to_thread(install_database)
    if problem is not None:
        raise StackError(f"The embedded database cannot be installed: {problem}.")


def _check_state(state: Path) -> None:
    """Raise `StackError` if saved tables cannot be loaded: MiniStack would start empty, and save that over them."""
    repair = "repair it, or delete all local jobs with `headrace dev --fresh`"
    try:
        if state.exists():
            for file in state.iterdir():
                if file.suffix == ".json":
                    json.loads(file.read_bytes())
            if not os.access(state, os.W_OK | os.X_OK):
                raise StackError(f"The database's folder {state} cannot be written; {repair}.")
    except OSError as error:
        raise StackError(f"The database cannot be read: {error.filename}: {error.strerror}; {repair}.") from error
    except ValueError as error:
        raise StackError(f"The database cannot be read: {file} is not what it saved; {repair}.") from error


async def _await_listening(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    for _ in range(START_SECONDS * 20):
        if process.poll() is not None:
            raise StackError(f"The embedded database ended with code {process.returncode}; see {log}.")
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise StackError(f"The embedded database did not start listening within {START_SECONDS} s; see {log}.")


async def _stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate the process, so that it saves its state; kill it if it takes longer than `STOP_SECONDS`."""
    process.terminate()
    try:
        await asyncio.to_thread(process.wait, STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def remove_state(state: Path) -> None:
    """Delete the state that a graceful stop saved."""
    shutil.rmtree(state, ignore_errors=True)
