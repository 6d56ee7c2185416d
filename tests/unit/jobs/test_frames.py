"""Where an exception came from, as a handler's author would tell it."""

import asyncio
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import pytest
from pydantic import BaseModel, field_validator

from domain.jobs import source_files
from domain.jobs.attempt import Attempt
from domain.jobs.frames import MAX_FILE, MAX_FRAMES, MAX_FUNCTION, frames_of
from domain.jobs.guard import is_plain, outcome_of
from domain.jobs.job import Frame
from domain.jobs.outcomes import Raised
from domain.jobs.source_lines import MAX_SOURCE, source_line
from headrace.authoring.context import JobContext
from headrace.authoring.json_text import JsonText
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, queued
from tests.fakes.handlers import Count, Text, a_handler

HERE = "tests/unit/jobs/test_frames.py"


def caught(run: Callable[[], object]) -> BaseException:
    """What `run` raises."""
    try:
        run()
    except BaseException as error:  # noqa: BLE001 - that is the point
        return error
    raise AssertionError("nothing was raised")


def places(error: BaseException) -> list[str]:
    """File and function of each frame."""
    return [f"{frame.file} {frame.function.removeprefix('modules_of_test.')}" for frame in frames_of(error)]


def functions(error: BaseException) -> list[str]:
    return [frame.function.split(".")[-1] for frame in frames_of(error)]


def without(file: str, traceback: TracebackType) -> TracebackType:
    """The traceback from the first frame on that is of another file."""
    while traceback.tb_frame.f_code.co_filename == file:
        assert traceback.tb_next is not None
        traceback = traceback.tb_next
    return traceback


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder on `sys.path`, like that of a person's own job types."""
    known = set(sys.modules)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(folder: Path, name: str, source: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source))


ORDERS = """
    def total(order):
        return order["price"] * 2


    class Orders:
        def run(self, order, context):
            return total(order)

        async def run_later(self, order, context):
            return total(order)
"""


def test_a_plain_handlers_frames_are_named_below_the_folder_it_was_imported_from(folder: Path) -> None:
    write(folder, "my_jobs/orders.py", ORDERS)
    from my_jobs.orders import Orders  # type: ignore[import-not-found]

    error = caught(lambda: Orders().run({}, None))
    assert frames_of(error)[-2:] == (
        Frame(file="my_jobs/orders.py", line=8, function="Orders.run", source="return total(order)"),
        Frame(file="my_jobs/orders.py", line=3, function="total", source='return order["price"] * 2'),
    )


def test_an_async_handlers_frames_leave_asyncio_out(folder: Path) -> None:
    write(folder, "my_jobs/orders.py", ORDERS)
    from my_jobs.orders import Orders

    async def waited_for() -> None:
        await asyncio.wait_for(Orders().run_later({}, None), 1)

    with asyncio.Runner() as runner, pytest.raises(KeyError) as raised:
        runner.get_loop().run_until_complete(waited_for())
    found = places(raised.value)
    assert found[-2:] == ["my_jobs/orders.py Orders.run_later", "my_jobs/orders.py total"]
    assert not any(place.startswith("asyncio/") for place in found)


async def test_headraces_own_frames_around_the_handler_are_left_out() -> None:
    async def read(_text: Text, _context: JobContext) -> Count:
        int("seven")
        return Count()

    job = queued(payload=JsonText("{}"))
    attempt = Attempt(FakeJobRepository(), lambda: NOW, job, NOW, {})
    raised = await outcome_of(a_handler(run=read), job, attempt, timedelta(seconds=5))
    assert isinstance(raised, Raised)
    assert [frame.function.split(".")[-1] for frame in raised.frames] == ["run", "read"]


def test_an_exception_of_headraces_alone_keeps_headraces_frames() -> None:
    """An error without frames would count as one that the handler returned, which callers always see."""
    error = caught(lambda: is_plain(None))  # type: ignore[arg-type]  # fails inside Headrace
    assert error.__traceback__ is not None
    assert functions(error.with_traceback(without(__file__, error.__traceback__))) == ["is_plain"]


def test_an_exception_that_was_never_raised_has_no_frames() -> None:
    assert frames_of(ValueError("one")) == ()
    assert frames_of(ExceptionGroup("many", [ValueError("one")])) == ()


def test_the_frames_of_a_cause_continue_those_of_the_function_that_caught_it() -> None:
    def charge() -> None:
        raise KeyError("card")

    def pay() -> None:
        try:
            charge()
        except KeyError as error:
            raise ValueError("no card") from error

    def run() -> None:
        pay()

    error = caught(run)
    assert functions(error)[-3:] == ["run", "pay", "charge"]
    first_line = pay.__code__.co_firstlineno
    assert [frame.line for frame in frames_of(error)][-2] == first_line + 2, "where it was called, not raised anew"


def test_a_cause_that_was_raised_elsewhere_follows_the_place_that_names_it() -> None:
    def earlier() -> None:
        raise KeyError("earlier")

    def run() -> None:
        raise ValueError("now") from first

    first = caught(earlier)
    assert functions(caught(run))[-1] == "earlier"
    assert "run" in functions(caught(run))


def test_a_context_that_nobody_named_a_cause_is_left_alone() -> None:
    def run() -> None:
        try:
            int("first")
        except ValueError:
            undo()

    def undo() -> None:
        raise KeyError("second")

    assert functions(caught(run))[-2:] == ["run", "undo"]


def test_of_a_group_the_first_exception_is_followed_into_its_task() -> None:
    async def charge() -> None:
        raise KeyError("card")

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(charge())

    with asyncio.Runner() as runner, pytest.raises(ExceptionGroup) as raised:
        runner.get_loop().run_until_complete(run())
    assert functions(raised.value)[-2:] == ["run", "charge"]


def test_a_circle_of_causes_comes_to_an_end() -> None:
    error, other = caught(lambda: int("x")), caught(lambda: int("y"))
    error.__cause__, other.__cause__ = other, error
    assert len(frames_of(error)) <= MAX_FRAMES


def test_a_file_with_a_syntax_error_is_the_innermost_place(folder: Path) -> None:
    write(folder, "my_jobs/broken.py", "def run(:\n    pass\n")

    def run() -> None:
        import my_jobs.broken  # type: ignore[import-not-found]  # noqa: F401

    found = frames_of(caught(run))
    assert found[-1] == Frame(file="my_jobs/broken.py", line=1, function="<module>", source="def run(:")
    assert found[-2].function.endswith("run"), "Python's own frames of the import are left out"


@pytest.mark.parametrize("source", ["def run(:", ""], ids=["compiled", "raised"])
def test_a_syntax_error_without_a_file_adds_nothing(source: str) -> None:
    def run() -> None:
        compile(source, "<string>", "exec")
        raise SyntaxError("none of a file")

    assert functions(caught(run))[-1] == "run"


def test_recursion_is_one_frame_however_deep() -> None:
    def dig(depth: int) -> int:
        return dig(depth + 1)

    error = caught(lambda: dig(0))
    assert isinstance(error, RecursionError)
    assert functions(error)[-1] == "dig"
    assert functions(error).count("dig") == 1


def test_of_many_frames_the_first_two_and_the_last_are_kept() -> None:
    def ping(depth: int) -> None:
        pong(depth - 1)

    def pong(depth: int) -> None:
        if depth < 0:
            raise ValueError("deep")
        ping(depth - 1)

    def run() -> None:
        ping(800)

    found = functions(caught(run))
    assert len(found) == MAX_FRAMES
    assert found[:2] == ["caught", "run"]
    assert found[-2:] == ["ping", "pong"]


class Picky(BaseModel):
    """A payload with a validator of its own."""

    text: str

    @field_validator("text")
    @classmethod
    def check(cls, _text: str) -> str:
        raise KeyError("no such table")


def test_frames_of_installed_packages_are_left_out() -> None:
    assert functions(caught(lambda: Picky.model_validate_json("{}")))[-1] == "<lambda>"
    assert functions(caught(lambda: Picky.model_validate_json('{"text":"x"}')))[-1] == "check"


def test_frames_of_installed_packages_are_kept_when_there_are_no_others() -> None:
    error = caught(lambda: Picky.model_validate_json("{"))
    inner = error.with_traceback(error.__traceback__ and without(__file__, error.__traceback__))
    assert places(inner) == ["pydantic/main.py BaseModel.model_validate_json"]


def test_packages_that_were_unpacked_beside_the_code_count_as_installed(folder: Path) -> None:
    """As in an artifact of Lambda, where all is in one folder."""
    for name in ("pillow-12.0.dist-info/top_level.txt", "Pure-1.0.dist-info/METADATA"):
        write(folder, name, "PIL\n")
    write(folder, "PIL/__init__.py", "def opened(what):\n    return what()\n")
    write(folder, "pure.py", "def called(what):\n    return what()\n")
    write(folder, "thumbnails.py", "def run():\n    return 1 / 0\n")
    from PIL import opened  # type: ignore[import-not-found]
    from pure import called  # type: ignore[import-not-found]
    from thumbnails import run  # type: ignore[import-not-found]

    found = places(caught(lambda: opened(lambda: called(run))))
    assert found[-1] == "thumbnails.py run"
    assert not any(place.startswith(("PIL", "pure")) for place in found)


def test_generated_code_is_left_out() -> None:
    @dataclass
    class Order:
        what: str

        def __post_init__(self) -> None:
            int(self.what)

    assert functions(caught(lambda: Order("tea")))[-2:] == ["<lambda>", "__post_init__"]


def test_a_file_of_no_folder_on_the_path_keeps_its_name() -> None:
    def run() -> None:
        exec(compile("1 / 0", "/elsewhere/rule.py", "exec"), {})

    assert frames_of(caught(run))[-1] == Frame(file="/elsewhere/rule.py", line=1, function="<module>")


def test_the_innermost_folder_on_the_path_names_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(folder), f"{folder}/src/", ""])
    assert source_files.short_name(f"{folder}/src/my_jobs/a.py") == "my_jobs/a.py"
    monkeypatch.chdir(folder.parent)
    assert source_files.short_name(f"{folder.parent}/b/c.py") == "b/c.py"


def test_a_source_line_is_read_from_files_alone_and_only_from_small_ones(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(f"first\n    {'x' * 300}\n\n")
    (tmp_path / "large.py").write_text("x" * 1_000_001)
    os.mkfifo(tmp_path / "fifo.py")
    assert source_line(str(tmp_path / "good.py"), 1) == "first"
    assert source_line(str(tmp_path / "good.py"), 2) == "x" * MAX_SOURCE
    assert [source_line(str(tmp_path / "good.py"), line) for line in (-1, 0, 3, 99)] == [None] * 4
    for name in ("large.py", "fifo.py", "missing.py", ""):
        assert source_line(str(tmp_path / name), 1) is None
    assert [source_line(name, 1) for name in ("/dev/zero", "<string>", "\0")] == [None] * 3


class Treacherous(Exception):
    """Hides how it came about."""

    @property
    def __traceback__(self) -> None:  # type: ignore[override]
        raise SystemExit(1)


def test_an_exception_that_will_not_be_looked_at_has_no_frames() -> None:
    assert frames_of(Treacherous()) == ()


def test_long_names_keep_their_end_and_half_a_surrogate_pair_is_replaced() -> None:
    def run() -> None:
        exec(compile(f"def {'f' * 300}(): 1 / 0\n{'f' * 300}()", f"/{'d' * 300}/caf\udce9.py", "exec"), {})

    frame = frames_of(caught(run))[-1]
    assert (len(frame.file), len(frame.function)) == (MAX_FILE, MAX_FUNCTION)
    assert frame.file.endswith("/caf\ufffd.py")


def test_packages_of_any_environment_are_libraries() -> None:
    assert source_files.is_library("/home/ada/other/.venv/lib/python3.13/site-packages/httpx/_client.py")


def test_the_built_in_job_types_are_the_users_code() -> None:
    file = str(Path(source_files.__file__).parents[2] / "job_types" / "csv_profile.py")
    assert not source_files.is_headrace(file)
    assert not source_files.is_library(file)
    assert source_files.is_headrace(source_files.__file__)
