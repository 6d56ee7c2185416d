"""The delay before the next attempt."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headrace.authoring.retry import Backoff, retry_delay

BACKOFF = Backoff(base=timedelta(seconds=2), factor=2, cap=timedelta(seconds=60))


def test_the_ceiling_doubles_with_each_attempt_up_to_the_cap() -> None:
    ceilings = [retry_delay(BACKOFF, attempt, 1.0).total_seconds() for attempt in range(1, 9)]
    assert ceilings == [2, 4, 8, 16, 32, 60, 60, 60]


def test_the_jitter_is_full() -> None:
    assert retry_delay(BACKOFF, 3, 0.0) == timedelta(0)
    assert retry_delay(BACKOFF, 3, 0.5) == timedelta(seconds=4)


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True), st.floats(1, 100))
def test_a_delay_never_passes_the_cap_however_many_attempts(attempt: int, random: float, factor: float) -> None:
    backoff = Backoff(base=timedelta(seconds=1), factor=factor, cap=timedelta(minutes=15))
    assert timedelta(0) <= retry_delay(backoff, attempt, random) <= timedelta(minutes=15)


@pytest.mark.parametrize("field", ["base", "cap"])
def test_a_negative_wait_is_refused(field: str) -> None:
    with pytest.raises(ValidationError):
        Backoff.model_validate({field: timedelta(seconds=-1)})
