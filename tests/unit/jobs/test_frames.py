"""The frames of an exception show the handler's own code, and nothing that the code worked on."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path

import pytest

from domain.jobs.attempt import Attempt
from domain.jobs.frames import MAX_FILE, MAX_FRAMES, MAX_FUNCTION, frames_of
from domain.jobs.guard import outcome_of
from domain.jobs.outcomes import Outcome, Raised
from headrace.authoring.context import JobContext
from headrace.authoring.json_text import JsonText
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, queued
from tests.fakes.handlers import Count, Text, a_handler

HERE = "tests/unit/jobs/test_frames.py"


def caught(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - whatever it raises is what is tested
        return error
    raise AssertionError("nothing was raised")


def compiled(source: str, file: str) -> Callable[[], object]:
    names: dict[str, Callable[[], object]] = {}
    exec(compile(source, file, "exec"), names)
    return names["run"]


def charge() -> object:
    orders: dict[str, object] = {}
    return orders["missing_key"]


def test_the_innermost_frame_comes_last_with_its_file_line_and_function() -> None:
    frames = frames_of(caught(charge))
    assert [frame.function for frame in frames] == ["caught", "charge"]
    assert frames[-1].file == HERE
    assert Path(HERE).read_text().splitlines()[frames[-1].line - 1].strip() == 'return orders["missing_key"]'


def test_frames_of_python_itself_and_of_installed_packages_are_left_out() -> None:
    frames = frames_of(caught(lambda: json.loads("no JSON")))
    assert [frame.function for frame in frames] == ["caught", "<lambda>"]


def test_an_exception_that_only_a_library_saw_keeps_the_librarys_frames() -> None:
    error = caught(compiled("import json\ndef run(): json.loads('x')", json.__file__))
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next
    assert [frame.function for frame in frames_of(error)] == ["run", "loads", "decode", "raw_decode"]


def test_headraces_own_frames_around_a_handler_are_left_out() -> None:
    async def read(text: Text, context: JobContext) -> Count:
        charge()
        return Count()

    async def outcome() -> Outcome:
        job = queued(payload=JsonText("{}"))
        attempt = Attempt(FakeJobRepository(), lambda: NOW, job, NOW, {})
        return await outcome_of(a_handler(run=read), job, attempt, timedelta(seconds=5))

    raised = asyncio.run(outcome())
    assert isinstance(raised, Raised)
    assert [frame.function for frame in raised.frames] == ["run", "read", "charge"]


def test_of_a_deep_recursion_the_innermost_frames_are_kept() -> None:
    def deeper(depth: int) -> object:
        return charge() if depth == 0 else deeper(depth - 1)

    frames = frames_of(caught(lambda: deeper(50)))
    assert [frame.function for frame in frames] == ["deeper"] * (MAX_FRAMES - 1) + ["charge"]


def test_long_names_are_cut_and_half_a_surrogate_pair_is_replaced() -> None:
    name = "f" * 300
    error = caught(compiled(f"def {name}(): 1 / 0\nrun = {name}", f"/{'d' * 300}/\udce9.py"))
    (*_, frame) = frames_of(error)
    assert (len(frame.file), len(frame.function)) == (MAX_FILE, MAX_FUNCTION)
    assert frame.file.endswith("\ufffd.py")


def test_a_package_that_lies_beside_the_job_types_of_an_artifact_is_known_by_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for project, listed in (("shop_client-1.0", None), ("pillow-12.0", "PIL")):
        folder = tmp_path / f"{project}.dist-info"
        folder.mkdir()
        if listed:
            (folder / "top_level.txt").write_text(listed)
    monkeypatch.syspath_prepend(tmp_path)
    for file, own in (("my_jobs/orders.py", True), ("shop_client/api.py", False), ("PIL/Image.py", False)):
        frames = frames_of(caught(compiled("def run(): 1 / 0", str(tmp_path / file))))
        assert (file in [frame.file for frame in frames]) is own


async def test_of_an_exception_group_the_first_exceptions_frames_follow() -> None:
    async def work() -> None:
        charge()

    async def together() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work())

    async def error_of(work: Coroutine[None, None, None]) -> BaseException:
        try:
            await work
        except BaseException as error:  # noqa: BLE001 - whatever it raises is what is tested
            return error
        raise AssertionError("nothing was raised")

    frames = frames_of(await error_of(together()))
    assert [frame.function for frame in frames] == ["error_of", "together", "work", "charge"]


def test_an_exception_whose_own_attributes_raise_has_no_frames() -> None:
    class Hostile(Exception):
        @property
        def __traceback__(self) -> None:  # type: ignore[override]
            raise KeyError

    assert frames_of(Hostile()) == ()
