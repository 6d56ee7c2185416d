"""Hot reload of a function in its own process: changed code runs at once, broken code waits for its fix."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from headrace.emulator.code_folders import CodeFolders
from headrace.emulator.database import StackError
from headrace.emulator.execution_environment import FunctionFailed, Result, Returned
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.handler_variables import HandlerVariables, Sources
from headrace.emulator.observer import CannotStart, Crash, Weight
from headrace.emulator.reloading import Reloaded as Functions
from headrace.emulator.reloading import reload_on_change, report_broken
from tests.integration.test_functions import a_function

CODE = """
import os, time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    while not os.path.exists(event.get("until", "/")):
        time.sleep(0.05)
    return {answer!r}
"""
RELOAD_SECONDS = 10
"""On a machine that is busy with other tests; alone it takes a fraction of a second."""


class Told:
    """An `Observer` that a test can wait for."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self.problems: asyncio.Queue[str] = asyncio.Queue()
        self.broken: asyncio.Queue[StackError] = asyncio.Queue()

    def wrote(self, function: str, environment: int, lines: Sequence[str]) -> None:
        pass

    def crashed(self, crash: Crash) -> None:
        pass

    def cannot_start(self, error: StackError) -> None:
        self.broken.put_nowait(error)

    def report(self, text: str, weight: Weight) -> None:
        if weight != "detail":
            (self.lines if weight == "news" else self.problems).put_nowait(text)


class Reloaded:
    """A function whose file a test changes."""

    def __init__(self, folder: Path, *, keep_old: bool = False) -> None:
        self.file = folder / f"shop_{folder.name}.py"
        self.told = Told()
        self._keep_old = keep_old
        function = a_function(f"{self.file.stem}.handler", timeout=30)
        self.settings = folder / ".env"
        self._variables = HandlerVariables(Sources(files=(self.settings,), optional=True), {"OURS"})
        path = {"PYTHONPATH": str(folder)}
        self.pool = FunctionPool(function, path, folder / "log", 2, self.told, waits=True, variables=self._variables)
        self._folders = CodeFolders(deep=(folder,), flat=())

    def write(self, code: str) -> None:
        self.file.write_text(code)

    async def start(self) -> "asyncio.Task[None]":
        report_broken([await self.pool.warm_up()], self.told)
        ours, none = {"TestFunction": self.pool}, dict[str, FunctionPool]()
        by_stream, by_request = (none, ours) if self._keep_old else (ours, none)
        functions = Functions(by_stream=by_stream, by_request=by_request, by_schedule={})
        return asyncio.create_task(reload_on_change(lambda: self._folders, functions, self.told, self._variables))


@pytest.fixture
async def reloaded(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Reloaded]:
    reloaded = Reloaded(tmp_path, keep_old=getattr(request, "param", False))
    reloaded.write(CODE.format(answer="old"))
    watching = await reloaded.start()
    await asyncio.sleep(0.2)  # The watch is set up in a thread.
    yield reloaded
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await reloaded.pool.stop()


def returned(result: Result) -> object:
    assert isinstance(result, Returned), result
    return result.payload


async def test_a_change_is_run_at_once_and_what_runs_already_finishes(reloaded: Reloaded) -> None:
    running = asyncio.create_task(reloaded.pool.invoke({"sleep": 1.5}))
    await asyncio.sleep(0.3)
    reloaded.write(CODE.format(answer="new"))
    async with asyncio.timeout(RELOAD_SECONDS):
        line = await reloaded.told.lines.get()
        assert returned(await reloaded.pool.invoke({})) == "new"
    assert line.startswith("reloaded: ")
    assert f"{reloaded.file.name} (" in line
    assert returned(await running) == "old"


async def test_a_changed_file_of_variables_is_used_and_a_malformed_one_is_not(reloaded: Reloaded) -> None:
    reloaded.write("import os\n\ndef handler(event, context):\n    return os.environ.get('SHOP_KEY')\n")
    async with asyncio.timeout(RELOAD_SECONDS):
        await reloaded.told.lines.get()
        reloaded.settings.write_text("SHOP_KEY=first\nOURS=no\n")
        assert (
            await reloaded.told.problems.get() == f"{reloaded.settings}:2: OURS has no effect: Headrace sets it itself"
        )
        assert ".env" in await reloaded.told.lines.get()
        assert returned(await reloaded.pool.invoke({})) == "first"
        reloaded.settings.write_text("SHOP_KEY=second\nno variable\n")
        told = f"{reloaded.settings}:2: this is not NAME=VALUE. Handlers keep the variables that they had."
        assert await reloaded.told.problems.get() == told
        assert returned(await reloaded.pool.invoke({})) == "first"
        reloaded.settings.unlink()
        await reloaded.told.lines.get()
        assert returned(await reloaded.pool.invoke({})) is None


async def test_broken_code_says_where_and_its_invocations_wait_for_the_fix(reloaded: Reloaded) -> None:
    reloaded.write("def handler(event, context):\n    return (\n")
    async with asyncio.timeout(RELOAD_SECONDS):
        error = await reloaded.told.broken.get()
    assert isinstance(error, CannotStart)
    assert error.place == f"{reloaded.file}:2"
    waiting = asyncio.create_task(reloaded.pool.invoke({}))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    reloaded.write(CODE.format(answer="mended"))
    async with asyncio.timeout(RELOAD_SECONDS):
        assert returned(await waiting) == "mended"


@pytest.mark.parametrize("reloaded", [True], indirect=True, ids=["keep_old"])
async def test_a_function_that_runs_no_jobs_goes_on_with_the_old_code(reloaded: Reloaded) -> None:
    reloaded.write("import nothing_of_that_name\n")
    async with asyncio.timeout(RELOAD_SECONDS):
        await reloaded.told.broken.get()
        assert returned(await reloaded.pool.invoke({})) == "old"


async def test_a_module_called_like_one_of_headraces_is_told_when_it_appears(
    reloaded: Reloaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reloaded.file.parent)
    monkeypatch.setenv("JOB_TYPES", "shop")
    (reloaded.file.parent / "domain.py").touch()
    async with asyncio.timeout(RELOAD_SECONDS):
        told = await reloaded.told.problems.get()
    assert told == f"{reloaded.file.parent / 'domain'} has the name of a package of Headrace; give it another"


async def test_a_function_that_is_broken_from_the_start_waits_too(tmp_path: Path) -> None:
    reloaded = Reloaded(tmp_path)
    reloaded.write("raise KeyError('no setting')\n")
    watching = await reloaded.start()
    await asyncio.sleep(0.2)
    error = reloaded.told.broken.get_nowait()
    assert isinstance(error, CannotStart)
    assert (error.reason, error.place) == ("KeyError: 'no setting'", f"{reloaded.file}:1")
    waiting = asyncio.create_task(reloaded.pool.invoke({}))
    reloaded.write(CODE.format(answer="mended"))
    async with asyncio.timeout(RELOAD_SECONDS):
        assert returned(await waiting) == "mended"
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await reloaded.pool.stop()


async def test_a_caller_who_does_not_wait_for_the_fix_is_told_why_at_once(tmp_path: Path) -> None:
    reloaded = Reloaded(tmp_path)
    reloaded.write("raise KeyError('no setting')\n")
    watching = await reloaded.start()
    await asyncio.sleep(0.2)
    async with asyncio.timeout(0.5):
        failed = await reloaded.pool.invoke({}, for_mending=False)
    told = f"KeyError: 'no setting' ({reloaded.file}:1)"
    assert failed == FunctionFailed(error_type="Runtime.InitError", message=told)
    reloaded.write(CODE.format(answer="mended"))
    async with asyncio.timeout(RELOAD_SECONDS):
        await reloaded.told.lines.get()
        assert returned(await reloaded.pool.invoke({}, for_mending=False)) == "mended"
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await reloaded.pool.stop()


async def test_a_caller_for_whom_a_further_environment_cannot_start_is_told_why(tmp_path: Path) -> None:
    reloaded = Reloaded(tmp_path)
    reloaded.write(CODE.format(answer="old"))
    assert await reloaded.pool.warm_up() is None
    end = tmp_path / "end"
    busy = asyncio.create_task(reloaded.pool.invoke({"until": str(end)}))
    await asyncio.sleep(0.2)
    reloaded.write("raise KeyError('no setting')\n")  # Nobody watches.
    results = await asyncio.gather(*(reloaded.pool.invoke({}, for_mending=False) for _ in range(3)))
    assert {result.error_type for result in results if isinstance(result, FunctionFailed)} == {"Runtime.InitError"}
    assert len(results) == 3
    assert reloaded.told.broken.qsize() == 1
    end.touch()
    assert returned(await busy) == "old"
    await reloaded.pool.stop()


async def test_without_reload_a_broken_function_fails_its_invocations(tmp_path: Path) -> None:
    pool = FunctionPool(a_function(f"no_{sys.platform}.handler"), {}, tmp_path / "log", 1, Told())
    assert isinstance(await pool.invoke({}), FunctionFailed)
    await pool.stop()
