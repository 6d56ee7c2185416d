"""When a request is repeated, and after how long: no client is needed to say it."""

import pytest

from headrace_client import NO_RETRY, Retry
from headrace_client.messages import Reply
from headrace_client.retry import retry_after

DATE = "Fri, 27 Nov 2026 09:00:00 GMT"


def pause(
    retry: Retry, tries: int, passed: float = 0.0, asked: float | None = None, random: float = 1.0
) -> float | None:
    return retry.pause(tries, passed, asked, lambda: random)


def test_pauses_are_anything_from_zero_to_a_limit_that_doubles() -> None:
    retry = Retry(seconds=1000, first=0.25, longest=8)
    assert [pause(retry, tries) for tries in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    assert pause(retry, 5000) == 8
    assert pause(retry, 3, random=0.0) == 0


def test_what_the_server_asks_for_comes_on_top_of_the_jitter() -> None:
    assert pause(Retry(first=1), 0, asked=5) == 6


def test_no_request_begins_after_the_time() -> None:
    assert pause(Retry(seconds=10, first=1), 0, passed=8.9) == 1
    assert pause(Retry(seconds=10, first=1), 0, passed=9) is None
    assert pause(Retry(seconds=10), 0, asked=11) is None
    assert pause(NO_RETRY, 0, random=0.0) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None), ({"retry-after": "7"}, 7), ({"retry-after": " 7 "}, 7), ({"retry-after": "0"}, 0),
        ({"retry-after": "-7"}, None), ({"retry-after": "soon"}, None), ({"retry-after": "1.5"}, None),
        ({"retry-after": "Fri, 27 Nov 2026 09:00:30 GMT", "date": DATE}, 30),
        ({"retry-after": "Fri, 27 Nov 2026 08:59:00 GMT", "date": DATE}, 0),
        ({"retry-after": "Fri, 27 Nov 2026 09:00:30 GMT"}, None), ({"retry-after": "²"}, None),
        ({"retry-after": "9" * 500}, 999_999_999),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_beside_the_servers_own(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(Reply("http://api.test", 503, headers, b"")) == seconds
