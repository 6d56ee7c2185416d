"""What an execution environment provides to its functions."""

import asyncio
import os

import pytest

from functions.runtime import Runtime, cpus, environment_id


@pytest.mark.parametrize(("memory", "share"), [("128", 1), ("1024", 1), ("1769", 1), ("3538", 2), ("10240", 6)])
def test_a_function_has_a_cpu_for_each_1769_mb(memory: str, share: int) -> None:
    there = os.cpu_count() or 1
    assert cpus({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory}) == min(share, there)


def test_elsewhere_it_has_the_cpus_of_the_machine() -> None:
    assert 1 <= cpus({}) <= (os.cpu_count() or 1)


def test_an_environment_keeps_its_name() -> None:
    assert environment_id() == environment_id()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exception_in_a_handlers_own_task_does_not_stop_the_loop_for_other_jobs(
    error: type[BaseException],
) -> None:
    async def throw() -> None:
        raise error

    async def handler() -> str:
        task = asyncio.create_task(throw())
        try:
            await task
        except BaseException as caught:  # noqa: BLE001 - as the guard does
            return type(caught).__name__
        return "nothing"

    async def batch() -> tuple[str, str]:
        async def neighbour() -> str:
            await asyncio.sleep(0.1)
            return "well"

        one, other = await asyncio.gather(handler(), neighbour())
        return one, other

    runtime = Runtime("http://127.0.0.1:1")
    try:
        assert runtime.run(batch()) == (error.__name__, "well")
    finally:
        runtime.close()


def test_an_exception_that_ends_the_loop_after_the_batch_does_not_lose_its_result() -> None:
    async def batch() -> str:
        async def throw() -> None:
            raise SystemExit

        kept.append(asyncio.create_task(throw()))
        return "done"

    kept: list[object] = []
    runtime = Runtime("http://127.0.0.1:1")
    try:
        assert runtime.run(batch()) == "done"
    finally:
        runtime.run(asyncio.sleep(0))
        runtime.close()
