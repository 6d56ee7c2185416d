"""Times sent by clients: only the date-time of RFC 3339, section 5.6."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue

from functions.api.http.times import read_time
from tests.factories import NOW
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
MOMENT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:30:00Z", MOMENT),
        ("2026-12-01t09:30:00z", MOMENT),
        ("2026-12-01T09:30:00+00:00", MOMENT),
        ("2026-12-01T09:30:00-00:00", MOMENT),
        ("2026-12-01T15:00:00+05:30", MOMENT),
        ("2026-11-30T10:00:00-23:30", MOMENT),
        ("2026-12-01T09:30:00.5Z", MOMENT + timedelta(milliseconds=500)),
        ("2026-12-01T09:30:00.123456789Z", MOMENT + timedelta(microseconds=123456)),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_with_its_offset(text: str, expected: datetime) -> None:
    assert read_time(text) == expected


WRONG = (
    "", "-1", "0", "2027", "20271126", "1800000000", "1800000000000", "1e9", "now", "2027-11-26", "09:30:00Z",
    "2027-11-26T09:30:00", "2027-11-26T09:30Z", "2027-11-26T09Z", "2027-11-26 09:30:00Z", "2027-11-26_09:30:00Z",
    "20271126T093000Z", "2027-W48-5T09:30:00Z", "2027-330T09:30:00Z", "2027-11-26T24:00:00Z", "2027-11-26T23:59:60Z",
    "2027-11-26T23:60:00Z", "2027-11-31T00:00:00Z", "2027-02-29T00:00:00Z", "2027-13-01T00:00:00Z",
    "2027-00-01T00:00:00Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "+2027-11-26T09:30:00Z",
    "-2027-11-26T09:30:00Z", "2027-11-26T09:30:00+24:00", "2027-11-26T09:30:00+05:60", "2027-11-26T09:30:00+0530",
    "2027-11-26T09:30:00+05", "2027-11-26T09:30:00 Z", " 2027-11-26T09:30:00Z", "2027-11-26T09:30:00Z\n",
    "2027-11-26T09:30:00,5Z", "2027-11-26T09:30:00.Z", "2027-11-26T09:30:00ZZ", "2027-11-26T09:30:00Z[UTC]",
    "\uff12\uff10\uff12\uff17-11-26T09:30:00Z", "2027-11-26T09:30:00\N{MINUS SIGN}01:00", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "2027-11-26T09:30:00." + "0" * 100_000 + "Z", "P1D", "\x00",
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=lambda text: ascii(text)[:30])
def test_anything_else_is_not_a_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be an RFC 3339 date and time|there is no such date, time or offset"):
        read_time(text)


def test_an_invalid_time_is_refused_and_writes_nothing(users: FakeUserRepository) -> None:
    api = Api(users=users)
    for text in WRONG:
        answer = api.call("POST", "/v1/jobs", CSV | {"run_at": text}).refused(422, "invalid_request")
        assert '"/run_at"' in answer.text
    assert api.call("GET", "/v1/jobs").json["items"] == []


@pytest.mark.parametrize(
    ("text", "status"),
    [("0001-01-01T00:00:00Z", 202), ("9999-12-31T23:59:59Z", 422), ("9999-12-31T23:59:59.999999+00:00", 422)],
)
def test_the_first_and_last_times_of_the_calendar_get_a_response(
    users: FakeUserRepository, text: str, status: int
) -> None:
    body = CSV | {"run_at": text}
    assert Api(users=users).call("POST", "/v1/jobs", body).status == status


@pytest.mark.parametrize(("days", "status"), [(364, 202), (365, 202), (366, 422)])
def test_the_longest_delay_is_one_year(users: FakeUserRepository, days: int, status: int) -> None:
    for offset in ("+00:00", "+14:00", "-12:00"):
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").tzinfo
        run_at = (NOW + timedelta(days=days)).astimezone(zone).isoformat()
        body = CSV | {"run_at": run_at}
        assert Api(users=users).call("POST", "/v1/jobs", body).status == status
