"""Functions in their own processes, under Lambda's Runtime API."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from headrace.emulator.database import StackError
from headrace.emulator.execution_environment import Environment, FunctionFailed, Returned
from headrace.emulator.function_pool import FunctionPool, environment_of
from headrace.emulator.log_file import LogFile
from headrace.emulator.template import LambdaFunction

BOOTSTRAP = (sys.executable, "-m", "headrace.emulator.bootstrap")
AWSLAMBDARIC = (sys.executable, "-m", "awslambdaric", "tests.integration.functions_of_tests.handler")


def a_function(
    handler: str = "tests.integration.functions_of_tests.handler", timeout: int = 3, memory_size: int = 128
) -> LambdaFunction:
    return LambdaFunction(
        name="TestFunction", handler=handler, timeout=timeout, memory_size=memory_size, environment={"COLOUR": "green"}
    )


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[FunctionPool]:
    pool = FunctionPool(a_function(), {}, tmp_path / "log", max_concurrency=2)
    yield pool
    await pool.stop()


async def payload(pool: FunctionPool | Environment, event: JsonValue) -> dict[str, JsonValue]:
    result = await pool.invoke(event)
    assert isinstance(result, Returned), result
    assert isinstance(result.payload, dict)
    return result.payload


async def test_a_listener_is_called_whenever_an_invocation_has_ended(pool: FunctionPool) -> None:
    ended: list[str] = []
    pool.after_each(lambda: ended.append("ended"))
    for times in (1, 2):
        await pool.invoke({})
        assert ended == ["ended"] * times


@pytest.mark.parametrize("command", [BOOTSTRAP, AWSLAMBDARIC], ids=["ours", "awslambdaric"])
async def test_an_event_is_handled_and_its_response_printed(tmp_path: Path, command: tuple[str, ...]) -> None:
    function = a_function()
    environment = Environment(function, environment_of(function, {}), LogFile(tmp_path / "log"))
    await environment.start(command)
    try:
        answer = await payload(environment, {"text": "é\u0000"})
        assert answer["event"] == {"text": "é\u0000"}
        assert 2000 < int(str(answer["remaining"])) <= 3000
        assert answer["environment"] == {"AWS_LAMBDA_FUNCTION_NAME": "TestFunction", "COLOUR": "green", "TZ": ":UTC"}
        failed = await environment.invoke({"do": "raise"})
        assert isinstance(failed, FunctionFailed)
        assert (failed.error_type, failed.message) == ("ValueError", "as asked")
        again = await payload(environment, {})
        assert (again["pid"], again["invocations"]) == (answer["pid"], 3)
    finally:
        await environment.stop()


async def test_a_warm_environment_is_reused(pool: FunctionPool) -> None:
    pids = {str((await payload(pool, {}))["pid"]) for _ in range(5)}
    assert len(pids) == 1


async def test_more_environments_start_while_others_are_busy_up_to_the_limit(pool: FunctionPool) -> None:
    busy = [asyncio.create_task(pool.invoke({"do": "sleep"})) for _ in range(2)]
    await asyncio.sleep(1.5)
    waiting = asyncio.create_task(pool.invoke({}))
    results = await asyncio.gather(*busy, waiting)
    assert [isinstance(result, FunctionFailed) for result in results] == [True, True, False]


async def test_a_function_that_exceeds_its_timeout_is_stopped_and_replaced(pool: FunctionPool) -> None:
    first = await payload(pool, {})
    late = await pool.invoke({"do": "sleep"})
    assert isinstance(late, FunctionFailed)
    assert late.error_type == "Sandbox.Timedout"
    assert (await payload(pool, {}))["pid"] != first["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(first["pid"])), 0)


@pytest.mark.parametrize(("do", "expected"), [("exit", "code 3"), ("kill", "signal 9")])
async def test_a_process_that_ends_fails_its_invocation_and_is_replaced(
    pool: FunctionPool, do: str, expected: str
) -> None:
    crashed = await pool.invoke({"do": do})
    assert isinstance(crashed, FunctionFailed)
    assert crashed.error_type == "Runtime.ExitError"
    assert expected in crashed.message
    assert (await payload(pool, {}))["invocations"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_an_environment_that_exceeds_its_memory_is_ended_and_replaced(pool: FunctionPool) -> None:
    greedy = await pool.invoke({"do": "devour"})
    assert isinstance(greedy, FunctionFailed)
    assert greedy.error_type == "Runtime.OutOfMemory"
    assert "Memory Size: 128 MB" in greedy.message
    assert (await payload(pool, {}))["invocations"] == 1


async def test_an_idle_environment_that_was_killed_is_replaced(pool: FunctionPool) -> None:
    first = await payload(pool, {})
    os.kill(int(str(first["pid"])), signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert (await payload(pool, {}))["pid"] != first["pid"]


async def test_an_invocation_ends_when_it_is_cancelled_even_as_its_response_arrives(tmp_path: Path) -> None:
    function = a_function()
    environment = Environment(function, environment_of(function, {}), LogFile(tmp_path / "log"))
    await environment.start()
    try:
        invoked = asyncio.create_task(environment.invoke({"do": "sleep"}))
        await asyncio.sleep(0.2)
        assert environment._current is not None
        environment._current.settle(Returned(payload=None))
        invoked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await invoked
    finally:
        await environment.stop()


async def test_an_environment_that_ended_leaves_nothing_waiting(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    pool = FunctionPool(a_function(), {}, tmp_path / "log", max_concurrency=1)
    await pool.warm_up()
    await pool.stop()
    async with asyncio.timeout(5):
        while asyncio.all_tasks() != before:  # noqa: ASYNC110 - they end by themselves, or never
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("sign", "times"), [("x", 6_400_000), ("é", 3_200_000), ("x", 40_000_000)])
async def test_a_response_over_6_mb_fails_its_invocation_and_the_environment_stays(
    tmp_path: Path, sign: str, times: int
) -> None:
    # 40 MB of text, its JSON and that JSON's bytes do not fit into 128 MB: the memory limit would end it first.
    pool = FunctionPool(a_function(memory_size=512), {}, tmp_path / "log", max_concurrency=2)
    try:
        first = await payload(pool, {})
        began = asyncio.get_running_loop().time()
        failed = await pool.invoke({"do": "answer", "sign": sign, "times": str(times)})
        assert isinstance(failed, FunctionFailed)
        assert failed.error_type == "Function.ResponseSizeTooLarge"
        assert asyncio.get_running_loop().time() - began < 2
        assert (await payload(pool, {}))["pid"] == first["pid"]
    finally:
        await pool.stop()


@pytest.mark.parametrize(("sign", "times"), [("x", 6_200_000), ("é", 3_100_000)])
async def test_a_response_below_6_mb_in_utf_8_arrives(pool: FunctionPool, sign: str, times: int) -> None:
    answer = await payload(pool, {"do": "answer", "sign": sign, "times": str(times)})
    assert len(str(answer["text"])) == times


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"do": "answer", "sign": "\ud800", "times": "1"}, "UnicodeEncodeError"),
        ({"do": "set"}, "TypeError"),
        ({"do": "unspeakable"}, "UnspeakableError"),
    ],
)
async def test_a_response_that_cannot_be_written_fails_only_its_invocation(
    pool: FunctionPool, event: JsonValue, expected: str
) -> None:
    first = await payload(pool, {})
    failed = await pool.invoke(event)
    assert isinstance(failed, FunctionFailed)
    assert failed.error_type == expected
    assert (await payload(pool, {}))["pid"] == first["pid"]


@pytest.mark.parametrize("posted", ["", "no JSON", "[" * 100_000, "\udcff"])
@pytest.mark.parametrize("end", ["response", "error"])
async def test_any_response_of_a_runtime_ends_the_invocation(tmp_path: Path, posted: str, end: str) -> None:
    function = a_function()
    environment = Environment(function, environment_of(function, {}), LogFile(tmp_path / "log"))
    script = (
        "import os, urllib.request as r\n"
        "base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\n"
        "id = r.urlopen(base + 'next').headers['Lambda-Runtime-Aws-Request-Id']\n"
        f"r.urlopen(r.Request(base + id + '/{end}', data={posted.encode(errors='surrogateescape')!r}))\n"
        "r.urlopen(base + 'next')\n"
    )
    await environment.start((sys.executable, "-c", script))
    try:
        assert isinstance(await environment.invoke({}), FunctionFailed)
        assert environment.alive
    finally:
        await environment.stop()


async def test_an_event_that_cannot_be_sent_leaves_the_pool_unchanged(pool: FunctionPool) -> None:
    for _ in range(3):
        with pytest.raises(TypeError):
            await pool.invoke({"do": b"bytes"})  # type: ignore[dict-item]
    assert (await payload(pool, {}))["invocations"] == 1


async def test_a_function_does_not_inherit_the_environment_of_the_shell(pool: FunctionPool) -> None:
    os.environ["HEADRACE_TEST_SECRET"] = "hunter2"
    assert (await payload(pool, {}))["secret"] is None


async def test_what_a_function_prints_is_in_its_log(pool: FunctionPool, tmp_path: Path) -> None:
    await pool.invoke({"do": "print"})
    assert "hello from the function" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("tests.integration.nothing.handler", "ModuleNotFoundError"),
        ("tests.integration.functions_of_tests.x", "AttributeError"),
    ],
)
async def test_a_function_that_cannot_start_says_why(tmp_path: Path, handler: str, expected: str) -> None:
    pool = FunctionPool(a_function(handler), {}, tmp_path / "log", max_concurrency=1)
    with pytest.raises(StackError, match=expected):
        await pool.warm_up()
    failed = await pool.invoke({})
    assert isinstance(failed, FunctionFailed)
    assert failed.error_type == "Runtime.InitError"
    await pool.stop()
