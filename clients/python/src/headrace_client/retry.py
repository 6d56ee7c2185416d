"""When a request is repeated: after 429, 502, 503, 504 and broken connections, with full jitter, for a bounded time."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from headrace_client.messages import Reply

STATUSES: Final = frozenset({429, 502, 503, 504})
_MOST_DOUBLINGS = 16


@dataclass(frozen=True)
class Retry:
    """How long, and with which pauses, a request is made again; pauses are between zero and a limit that doubles."""

    seconds: float = 30.0
    """No request is begun later than this after the first; 0: none is made again."""
    first: float = 0.25
    longest: float = 8.0

    def pause(self, tries: int, passed: float, asked: float | None, random: Callable[[], float]) -> float | None:
        """Seconds until the next request, after `tries` of them in `passed` seconds; None: no more.

        `asked` is what the server asked for with Retry-After; the jitter is added to it, so that not all come back at
        once.
        """
        jitter = random() * min(self.longest, self.first * 2 ** min(tries, _MOST_DOUBLINGS))
        pause = jitter + (asked or 0.0)
        return pause if passed + pause < self.seconds else None


NO_RETRY: Final = Retry(seconds=0)


def is_unsettled(reply: Reply) -> bool:
    """Whether the same request may get another response soon."""
    return reply.status in STATUSES


def retry_after(reply: Reply) -> float | None:
    """The seconds that a response's Retry-After asks for (RFC 9110, section 10.2.3); a date is read beside its Date."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text) - parsedate_to_datetime(reply.headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, until.total_seconds())
