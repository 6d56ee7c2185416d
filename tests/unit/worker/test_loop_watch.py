"""A handler that blocks the event loop is seen, with its job and the place where it stood."""

import asyncio
import time

import pytest

from functions.worker.loop_watch import LIMIT_SECONDS, watched


async def blocks(seconds: float) -> str:
    await asyncio.sleep(0.05)
    time.sleep(seconds)  # noqa: ASYNC251 - the mistake that is looked for
    return "done"


async def an_attempt(seconds: float) -> str:
    return await asyncio.create_task(blocks(seconds), name="job job-7")


async def test_a_handler_that_blocks_the_loop_is_named_with_its_frame() -> None:
    result, (blocked,) = await watched(an_attempt(LIMIT_SECONDS + 0.8))
    assert result == "done"
    assert blocked.job_id == "job-7"
    assert blocked.seconds >= LIMIT_SECONDS
    assert "test_loop_watch.py" in blocked.frame
    assert blocked.frame.endswith("in blocks")


async def test_one_that_gives_way_is_not() -> None:
    assert await watched(an_attempt(0.1)) == ("done", ())


async def test_a_block_outside_an_attempt_has_no_job() -> None:
    _, (blocked,) = await watched(blocks(LIMIT_SECONDS + 0.8))
    assert blocked.job_id is None


async def test_what_the_work_raises_is_raised() -> None:
    async def fail() -> None:
        raise LookupError("as asked")

    with pytest.raises(LookupError):
        await watched(fail())
