"""`headrace logs`: shows what the functions of this folder's stack have logged, for one job or for all."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import BinaryIO

import click

from headrace.cli.console import view_of
from headrace.cli.log_line import LogLine, parsed
from headrace.cli.log_text import text_of
from headrace.cli.target import ExitCode, fail, folder, json_text, mint
from headrace.emulator.log_file import older

FOLLOW_SECONDS = 0.1
"""How often a followed log is looked at."""
STATE_SECONDS = 2.0
"""How often the state of a followed job is read: one that is cancelled before it runs is in no log."""
LATE_SECONDS = 1.0
"""How long the last lines may come after the job has ended."""
LAST_LINES = 200
FULL_ID = 36
TOKEN_LIFETIME = timedelta(minutes=1)
_ALL_OF_A_RECORD = 10**6
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Tail:
    """Reads a log to its end, and then what is added, also when the log begins anew."""

    def __init__(self, path: Path) -> None:
        self.function = path.name.partition(".log")[0]
        self.path = path
        self._file: BinaryIO | None = None
        self._unfinished = b""
        self._at = _LONG_AGO

    def lines(self) -> list[tuple[datetime, LogLine]]:
        """The whole lines since the last call, each with its time, or the time of the one before."""
        *whole, self._unfinished = (self._unfinished + self._added()).split(b"\n")
        return [self._dated(text.decode(errors="replace")) for text in whole if text]

    def _dated(self, text: str) -> tuple[datetime, LogLine]:
        line = parsed(self.function, text)
        self._at = line.at or self._at
        return self._at, line

    def _added(self) -> bytes:
        added = b""
        while self._file is not None or self._open():
            if self._file is not None:
                added += self._file.read()
                if not self._is_replaced(self._file):
                    break
                self._file.close()
                self._file = None
        return added

    def _open(self) -> bool:
        try:
            self._file = self.path.open("rb")
        except FileNotFoundError:
            return False
        return True

    def _is_replaced(self, file: BinaryIO) -> bool:
        try:
            return self.path.stat().st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            return True


@click.command()
@click.argument("job", required=False)
@click.option("--follow", "-f", is_flag=True, help="Show new lines too; those of a job until it has ended.")
@click.option("--function", help="Only of one function: api, worker, standardrunner, recorder or sweeper.")
@click.option(
    "--lines", "-n", default=LAST_LINES, show_default=True, type=click.IntRange(0), help="Without JOB, the last."
)
@click.option("--json", "as_json", is_flag=True, help="Print each line as JSON, as the function logged it.")
def logs(job: str | None, follow: bool, function: str | None, lines: int, as_json: bool) -> None:
    """Show what the functions of this folder's stack have logged.

    Of one JOB (its id, or the beginning of it) everything; else the last lines.
    """
    tails = [Tail(path) for path in _files(function)]
    if not any(tail.path.exists() for tail in tails):
        click.echo(f"no log yet of {', '.join(tail.function for tail in tails) or 'any function'}", err=True)
    past = [line for path in tails for line in _past(path)]
    found = [line for _, line in sorted(past, key=lambda dated: dated[0]) if not line.is_metric]
    if job is not None:
        job_id = _job_id(found, job, waits=follow)
        found = [line for line in found if line.job_id == job_id]
    else:
        found = found[max(0, len(found) - lines) :]
    _show(found, as_json)
    if follow and not (job is not None and _has_ended(found)):
        _show(_followed(tails, None if job is None else job_id, all_of_them=function is None), as_json)


def _files(function: str | None) -> list[Path]:
    """The logs of the functions, or of one, which may have none yet."""
    found = _logs()
    if not found and not folder().path.is_dir():
        fail("no stack has run in this folder; run the command in the folder where `headrace dev` runs", ExitCode.ERROR)
    if function is None:
        return found
    wanted = function.removesuffix("Function").lower()
    names = {_short(path.name): path for path in found}
    if wanted not in names:
        names |= _declared()
    if wanted not in names:
        fail(f"there is no function {function!r}; the functions are {', '.join(sorted(names))}", ExitCode.NOT_FOUND)
    return [names[wanted]]


def _logs() -> list[Path]:
    return sorted(path for path in folder().logs.glob("*Function.log") if not path.name.startswith("invoke-"))


def _declared() -> dict[str, Path]:
    """Where each function of the template logs; reading that takes a moment."""
    from headrace.emulator.stack import parameters
    from headrace.emulator.template import load_stack

    functions = load_stack(parameters(folder())).functions
    return {_short(path.name): path for path in map(folder().function_log, functions)}


def _short(file: str) -> str:
    return file.removesuffix("Function.log").lower()


def _past(tail: Tail) -> list[tuple[datetime, LogLine]]:
    """What a log holds, with what was moved to the older one."""
    return [*Tail(older(tail.path)).lines(), *tail.lines()]


def _job_id(found: list[LogLine], job: str, *, waits: bool) -> str:
    """The only job whose id begins so; a whole id may be waited for."""
    ids = sorted({line.job_id for line in found if line.job_id.startswith(job.lower())})
    if job in ids or (not ids and waits and len(job) == FULL_ID):
        return job
    if not ids:
        fail(f"nothing was logged about a job {job}; it has not run yet, or not in this folder", ExitCode.NOT_FOUND)
    if len(ids) > 1:
        fail(f"{len(ids)} jobs have an id that begins with {job}: {', '.join(ids[:3])}, …", ExitCode.USAGE)
    return ids[0]


def _has_ended(found: list[LogLine]) -> bool:
    """Whether the job's last attempt was its last."""
    ends = [
        line.ends_job for line in found if line.message in {"job_attempt_started", "job_attempt_finished", "job_swept"}
    ]
    return bool(ends) and ends[-1]


def _followed(tails: list[Tail], job_id: str | None, *, all_of_them: bool) -> Iterator[LogLine]:
    """What is logged from now on; with `all_of_them`, also by a function that has not logged before."""
    status, looked, ends = None, -inf, inf
    while (now := time.monotonic()) < ends:
        known = {tail.path for tail in tails}
        tails = [*tails, *(Tail(path) for path in _logs() if all_of_them and path not in known)]
        if job_id is not None and status is None and now - looked >= STATE_SECONDS:
            status, looked = _final_status(job_id), now
            ends = inf if status is None else now + LATE_SECONDS
        added = [dated for tail in tails for dated in tail.lines()]
        for _, line in sorted(added, key=lambda dated: dated[0]):
            if job_id is None or line.job_id == job_id:
                yield line
                if job_id is not None and line.ends_job:
                    return
        time.sleep(FOLLOW_SECONDS)
    click.echo(f"the job is {status}", err=True)


def _final_status(job_id: str) -> str | None:
    """The status of a job that has ended; None for any other, and where no stack runs to be asked."""
    from headrace.emulator.directory import LOCAL_ADMIN
    from headrace_client import NO_RETRY, Client, HeadraceError

    running = folder().running()
    if running is None:
        return None
    try:
        with Client(running.url, token=mint(LOCAL_ADMIN, TOKEN_LIFETIME), retry=NO_RETRY) as client:
            job = client.get(job_id)
    except HeadraceError:
        return None
    return job.status if job.is_final else None


def _show(found: Iterable[LogLine], as_json: bool) -> None:
    view = view_of(sys.stdout, _ALL_OF_A_RECORD)
    shown = datetime.now(UTC).astimezone(view.zone).date()
    for line in found:
        if as_json:
            fields = line.fields or {"message": line.text}
            click.echo(json_text({"function": line.function, **fields}))
            continue
        day = shown if line.at is None else line.at.astimezone(view.zone).date()
        if day != shown:
            click.echo(f"{day}:")
            shown = day
        for text in text_of(line, view):
            click.echo(text, color=True)
