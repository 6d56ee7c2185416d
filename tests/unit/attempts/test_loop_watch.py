"""A handler that blocks the event loop is reported, with its job and its position in the code."""

import asyncio
import time

import pytest

from functions.attempts.loop_watch import LIMIT_SECONDS, Blocked, watched


async def blocks(seconds: float) -> str:
    await asyncio.sleep(0.05)
    time.sleep(seconds)  # noqa: ASYNC251 - the mistake that is looked for
    return "done"


async def an_attempt(seconds: float) -> str:
    return await asyncio.create_task(blocks(seconds), name="job job-7")


class Reports:
    """Records the reports of a watch."""

    def __init__(self) -> None:
        self.made: list[tuple[Blocked, float | None]] = []

    def __call__(self, blocked: Blocked, seconds: float | None) -> None:
        self.made.append((blocked, seconds))


async def test_a_handler_that_blocks_the_loop_is_named_with_its_frame_at_once_and_at_the_end() -> None:
    reports = Reports()
    assert await watched(an_attempt(LIMIT_SECONDS + 0.8), reports) == "done"
    (blocked, at_once), (same, seconds) = reports.made
    assert blocked == same
    assert blocked.job_id == "job-7"
    assert "test_loop_watch.py" in blocked.frame
    assert blocked.frame.endswith("in blocks")
    assert at_once is None
    assert seconds is not None
    assert seconds >= LIMIT_SECONDS


async def test_a_handler_that_yields_is_not_reported() -> None:
    reports = Reports()
    await watched(an_attempt(0.1), reports)
    assert reports.made == []


async def test_a_blocked_loop_outside_an_attempt_is_reported_without_a_job() -> None:
    reports = Reports()
    await watched(blocks(LIMIT_SECONDS + 0.8), reports)
    assert [blocked.job_id for blocked, _ in reports.made] == [None, None]


async def test_an_exception_of_the_work_is_raised() -> None:
    async def fail() -> None:
        raise LookupError("as asked")

    with pytest.raises(LookupError):
        await watched(fail(), Reports())
