"""`Prefer: wait=N`: how long a request waits, and how often it reads the job."""

from datetime import timedelta

import pytest
from pydantic import JsonValue

from functions.api.jobs.waiting import next_pause, wait_seconds
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}


def pauses(wait: float, read: float = 0.0) -> list[float]:
    """Return the pauses of a complete wait whose reads take `read` seconds each."""
    passed, made = read, list[float]()
    while (pause := next_pause(passed, wait)) is not None:
        made.append(pause)
        passed += pause + read
    return made


@pytest.mark.parametrize("wait", [0.5, 1, 2, 5, 10, 20])
@pytest.mark.parametrize("read", [0.0, 0.01, 0.5])
def test_a_wait_has_at_most_thirty_reads_and_ends_in_time(wait: float, read: float) -> None:
    made = pauses(wait, read)
    assert len(made) + 1 <= 30
    assert sum(made) + len(made) * read <= wait + read


def test_the_first_pauses_are_short_and_later_ones_grow_with_the_elapsed_time() -> None:
    made = pauses(20)
    assert made[:4] == [0.025] * 4
    assert sorted(made[:-1]) == made[:-1]
    assert max(made) <= 2


def test_a_wait_of_zero_has_no_pause() -> None:
    assert next_pause(0.0, 0) is None
    assert next_pause(0.0, -1) is None


@pytest.mark.parametrize(
    ("prefer", "longest", "expected"),
    [
        (None, 20, 0), ("wait=5", 20, 5), ("wait=500", 20, 20), ("Wait=5", 3, 3), ("wait=5", 0, 0), ("wait=0", 20, 0),
        ("wait=1, wait=9", 20, 1), ("wait=x, wait=9", 20, 0), ('foo="wait=9"', 20, 0), ("wait=-1", 20, 0),
        ("wait=1.5", 20, 0), ("wait=" + "9" * 5000, 20, 20),
    ],
)  # fmt: skip
def test_a_request_waits_as_long_as_it_prefers_up_to_the_limit(prefer: str | None, longest: int, expected: int) -> None:
    assert wait_seconds(prefer, timedelta(seconds=longest)) == expected


def test_a_deployment_shortens_waits_or_turns_them_off(users: FakeUserRepository) -> None:
    for longest, applied in ((1, "wait=1"), (0, None)):
        api = Api(users=users, longest_wait=timedelta(seconds=longest))
        path = f"/v1/jobs/{api.call('POST', '/v1/jobs', CSV).json['id']}"
        answer = api.call("GET", path, headers={"prefer": "wait=20"})
        assert (answer.status, answer.headers.get("preference-applied")) == (200, applied)
