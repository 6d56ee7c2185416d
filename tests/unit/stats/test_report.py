"""Windows and their steps."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from domain.stats.report import WINDOWS, WindowName, begins_of

AT = datetime(2026, 11, 27, 14, 55, 31, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        ("1h", "2026-11-27T13:56", "2026-11-27T14:55"),
        ("24h", "2026-11-26T15:00", "2026-11-27T14:00"),
        ("7d", "2026-11-20T15:00", "2026-11-27T14:00"),
        ("30d", "2026-10-29T00:00", "2026-11-27T00:00"),
    ],
)
def test_a_window_is_made_of_whole_steps(window: WindowName, first: str, last: str) -> None:
    begins = begins_of(window, AT)
    assert [f"{at:%Y-%m-%dT%H:%M}" for at in (begins[0], begins[-1])] == [first, last]
    steps, step = WINDOWS[window]
    assert len(begins) == steps
    assert {after - before for before, after in pairwise(begins)} == {step}
    assert timedelta(0) <= AT - begins[-1] < step
