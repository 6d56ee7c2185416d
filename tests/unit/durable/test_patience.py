"""What a store does not answer is asked again, while there is time."""

from datetime import datetime, timedelta

import pytest

from domain.patience import PAUSE, answered
from domain.results import StorageUnavailable
from headrace.testing.clock import FakeClock

BUSY = StorageUnavailable(reason="throttled", detail="busy")
REFUSED = StorageUnavailable(reason="rejected", detail="no such table")


async def asked(*answers: StorageUnavailable | str, before: timedelta) -> tuple[StorageUnavailable | str, int]:
    """What came of it, and how often it was asked, where the deadline is so far away."""
    clock, left = FakeClock(), list(answers)

    async def ask() -> StorageUnavailable | str:
        return left.pop(0)

    deadline: datetime = clock() + before
    return await answered(ask, clock, deadline), len(answers) - len(left)


@pytest.mark.parametrize("answers", [("here",), (BUSY, "here"), (BUSY, BUSY, "here")])
async def test_an_answer_is_waited_for(answers: tuple[StorageUnavailable | str, ...]) -> None:
    assert await asked(*answers, before=timedelta(minutes=1)) == ("here", len(answers))


async def test_a_refusal_is_not_asked_about_again() -> None:
    assert await asked(REFUSED, "here", before=timedelta(minutes=1)) == (REFUSED, 1)


async def test_no_pause_reaches_the_deadline() -> None:
    assert await asked(BUSY, "here", before=PAUSE) == (BUSY, 1)
    assert await asked(BUSY, "here", before=PAUSE + timedelta(microseconds=1)) == ("here", 2)
