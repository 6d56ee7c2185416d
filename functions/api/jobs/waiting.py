"""`Prefer: wait=N` (RFC 7240, section 4.3): long-poll until a job is final.

Each read fetches the whole item, strongly consistent. A projection would save bytes on the wire but no read units,
which depend on the item's size, and the last read needs the whole job anyway; so the number of reads is kept low by
their schedule instead.
"""

from datetime import timedelta
from typing import Final

from functions.api.http.header_fields import delta_seconds, preferences

LONGEST_WAIT: Final = timedelta(seconds=20)
"""The most that a deployment may set: below API Gateway's limit of 30 s and the function's own timeout."""

SHORTEST_PAUSE: Final = 0.01
FIRST_PAUSE: Final = 0.025
LONGEST_PAUSE: Final = 1.75
GROWTH: Final = 0.28


def wait_seconds(prefer: str | None, longest: timedelta) -> int:
    """The seconds to wait that a Prefer header requests, at most `longest`; 0 if it requests none."""
    requested = delta_seconds(preferences(prefer or "").get("wait", ""))
    return min(requested or 0, int(longest.total_seconds()))


def next_pause(passed: float, wait: float) -> float | None:
    """Seconds until the next read, after `passed` of `wait` seconds; None ends the wait.

    The first pauses are short, for jobs that take milliseconds; later ones are a fixed share of the time passed, so
    that a response is late by at most that share of the job's own time, and by at most `LONGEST_PAUSE`. A wait of 20 s
    takes at most 30 reads.
    """
    left = wait - passed
    if left < SHORTEST_PAUSE:
        return None
    return min(max(FIRST_PAUSE, passed * GROWTH), LONGEST_PAUSE, left)
