"""`headrace demo`: runs several hundred real jobs on a temporary stack and checks how each one ended."""

import asyncio
import os
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path

import click
from aiohttp import web
from pydantic import JsonValue
from rich import box
from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from functions.settings import JOB_TYPES_VARIABLE
from headrace.cli.demo_cases import Case, Ended, cases
from headrace.cli.demo_order import CHILDREN, CODE, TYPES, is_whole, run_order
from headrace.cli.log_text import duration
from headrace.cli.target import Json, json_text
from headrace.emulator.database import StackError, free_port
from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
from headrace.emulator.page_links import page_link
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.tokens import local_authority
from headrace_client import AsyncClient, HeadraceError

CONCURRENCY = 16
MAX_WAIT_SECONDS = 55.0


async def run_demo(*, keep: bool, as_json: bool = False) -> int:
    """Run the demo; returns 0 when every job ended as expected, else 1. With JSON, stdout has nothing but the jobs."""
    os.environ[JOB_TYPES_VARIABLE] = TYPES  # Whatever the project of this folder has.
    console = Console(stderr=as_json)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as temporary:
        folder = Folder(Path(temporary) / ".headrace")
        async with _receiver() as receiver:
            options = Options(port=free_port(), allowed_hosts=receiver.removeprefix("http://"), code=CODE)
            async with running_stack(folder, options) as running:
                await ensure_local_admin(folder, running.endpoint_url)
                console.print(f"The local stack is ready at {running.url} after {time.monotonic() - began:.1f} s.")
                token = local_authority(folder).mint(LOCAL_ADMIN, datetime.now(UTC), timedelta(hours=1))
                async with AsyncClient(running.url, token=token) as client:
                    ended = await _run_cases(client, cases(receiver), console)
                _show(ended, console)
                took = time.monotonic() - began
                wrong = _wrong(ended, console)
                verdict = f"[red]{wrong}[/red]" if wrong else "[green]every job ended as expected[/green]"
                console.print(f"{len(ended)} jobs in {took:.1f} s: {verdict}.")
                if as_json:
                    click.echo(json_text([document_of(each) for each in ended], indent=2))
                if keep:
                    link = page_link(folder, running.url, LOCAL_ADMIN, datetime.now(UTC))
                    await _until_interrupted(running.url, token, link, console)
    return 1 if wrong else 0


async def _run_cases(client: AsyncClient, demo_cases: tuple[Case, ...], console: Console) -> list[Ended]:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def submit(case: Case) -> str:
        async with slots:
            try:
                job = await client.submit(case.type, case.payload, delay=case.delay)
                if case.cancel:
                    await client.cancel(job)
            except HeadraceError as error:
                raise StackError(f"A job of the demo was not accepted: {error}") from error
            return job.id

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        accepted = progress.add_task("accepted", total=len(demo_cases))
        ended = progress.add_task("ended", total=len(demo_cases))
        children = progress.add_task("children of an order", total=CHILDREN)

        async def counted(case: Case) -> str:
            job_id = await submit(case)
            progress.advance(accepted)
            return job_id

        async def all_ended() -> tuple[str, ...]:
            ids = await asyncio.gather(*(counted(case) for case in demo_cases))
            ends = time.monotonic() + MAX_WAIT_SECONDS
            while time.monotonic() < ends:
                finished = [job.is_final async for job in client.jobs() if job.id in ids]
                progress.update(ended, completed=sum(finished))
                if all(finished):
                    break
                await asyncio.sleep(1)
            return tuple(ids)

        counting = partial(_update, progress, children)
        ids, order = await asyncio.gather(all_ended(), run_order(client, MAX_WAIT_SECONDS, counting))
    jobs = {job.id: job.raw async for job in client.jobs(include=["result"])}
    return [*(Ended(case=case, job=jobs[job_id]) for case, job_id in zip(demo_cases, ids, strict=True)), *order]


def _update(progress: Progress, task: TaskID, completed: int) -> None:
    progress.update(task, completed=completed)


def _wrong(ended: list[Ended], console: Console) -> str:
    """What is wrong, if anything is; each job that ended wrong is printed."""
    wrong = [each for each in ended if not each.as_expected]
    for each in wrong:
        shown = {name: each.job.get(name) for name in ("id", "status", "attempt", "error")}
        console.print(f"[red]not as expected[/red] ({each.case.group}): {shown}")
    if wrong:
        return "some ended wrong"
    return "" if is_whole(ended) else "the order lacks children, or its mail"


def _show(ended: list[Ended], console: Console) -> None:
    console.print(table_of(ended))


def document_of(ended: Ended) -> JsonValue:
    """A job of the demo, and how it should have ended."""
    shown = {name: ended.job.get(name) for name in ("id", "type", "status", "attempt", "error", "history")}
    return {"group": ended.case.group, "expected": ended.case.expect, "as_expected": ended.as_expected, **shown}


def table_of(ended: list[Ended]) -> Table:
    """A line for each group of jobs; where it does not fit, only the names of groups are wrapped."""
    table = Table(
        title="How the jobs ended (times are medians)", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("jobs of")
    columns = {"jobs": 4, "should be": 9, "are": 3, "attempts": 8, "waited": 7, "ran": 7}
    for name, width in columns.items():
        justify: JustifyMethod = "left" if name == "should be" else "right"
        table.add_column(name, justify=justify, no_wrap=True, min_width=width)
    for _, members in groupby(ended, key=lambda each: each.case.group):
        of_group = list(members)
        good = sum(each.as_expected for each in of_group)
        attempts = [int(str(each.job["attempt"])) for each in of_group]
        table.add_row(
            of_group[0].case.group,
            str(len(of_group)),
            of_group[0].case.expect,
            f"[green]{good}[/green]" if good == len(of_group) else f"[red]{good}[/red]",
            str(max(attempts)) if max(attempts) == min(attempts) else f"{min(attempts)} to {max(attempts)}",
            _median([_between(each.job, "queued", "running") for each in of_group]),
            _median([_between(each.job, "running", each.case.expect) for each in of_group]),
        )
    return table


def _between(job: Json, earlier: str, later: str) -> float | None:
    """Milliseconds from the last `earlier` to the last `later` in the job's history."""
    history = job["history"]
    moments = {
        str(entry["status"]): datetime.fromisoformat(str(entry["at"]))
        for entry in (history if isinstance(history, list) else [])
        if isinstance(entry, dict)
    }
    if earlier not in moments or later not in moments:
        return None
    return (moments[later] - moments[earlier]).total_seconds() * 1000


def _median(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return duration(statistics.median(known)) if known else "-"


@asynccontextmanager
async def _receiver() -> AsyncIterator[str]:
    """Run a local server that receives deliveries; `/flaky` responds with 503 to the first two."""
    flaky_calls: list[str] = []

    async def ok(request: web.Request) -> web.Response:
        return web.json_response({"received": len(await request.read()), "key": request.headers["Idempotency-Key"]})

    async def flaky(_request: web.Request) -> web.Response:
        flaky_calls.append("call")
        if len(flaky_calls) <= 2:  # noqa: PLR2004 - "fails twice first"
            return web.Response(status=503, headers={"Retry-After": "1"})
        return web.Response(text="third time lucky")

    app = web.Application()
    app.router.add_post("/ok", ok)
    app.router.add_post("/flaky", flaky)
    async with _serving(app) as url:
        yield url


@asynccontextmanager
async def _serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _until_interrupted(url: str, token: str, link: str, console: Console) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print(f"The stack stays at {url} until Ctrl-C; a token for it:\n{token}", soft_wrap=True)
    console.print(f"Its page, for the next 5 minutes and once:\n{link}", soft_wrap=True)
    await stop.wait()
