"""`Prefer: wait=N` (RFC 7240, section 4.3): long-poll until a job is final.

A read asks for the whole item, strongly consistent. A projection would save bytes on the wire but no read units,
which go by the item's size, and the last read must have the whole job anyway; so the schedule of the reads is what
keeps them few.
"""

from datetime import timedelta
from typing import Final

from functions.api.http.header_fields import delta_seconds, preferences

LONGEST_WAIT: Final = timedelta(seconds=20)
"""What a deployment may set at most: below API Gateway's 30 s and the function's own timeout."""

SHORTEST_PAUSE: Final = 0.01
FIRST_PAUSE: Final = 0.025
LONGEST_PAUSE: Final = 1.75
GROWTH: Final = 0.28


def wait_seconds(prefer: str | None, longest: timedelta) -> int:
    """How long a client wants to wait, in seconds, at most `longest`; 0 for a preference that is not understood."""
    wanted = delta_seconds(preferences(prefer or "").get("wait", ""))
    return min(wanted or 0, int(longest.total_seconds()))


def next_pause(passed: float, wait: float) -> float | None:
    """Seconds until the next read, when `passed` seconds of a wait of `wait` have gone; None ends the wait.

    The first pauses are short, for jobs that take milliseconds; then each is a fixed share of the time that has
    passed, so that an answer is late by a share of the job's own time, up to `LONGEST_PAUSE`. A wait of 20 s makes 30
    reads at most.
    """
    left = wait - passed
    if left < SHORTEST_PAUSE:
        return None
    return min(max(FIRST_PAUSE, passed * GROWTH), LONGEST_PAUSE, left)
