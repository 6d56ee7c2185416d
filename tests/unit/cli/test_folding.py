"""Lines with long names fit a terminal, are whole for a pipe, and lose no number and no unit."""

import io
import sys
from collections.abc import Callable

import pytest
from pydantic import JsonValue

from headrace.cli import job_types, lanes, principals, users, webhooks
from headrace.cli.folding import folded, folded_text
from headrace.cli.job_text import job_line, page_text, progress_line
from headrace.cli.schedule_text import schedule_line
from headrace.cli.stats import _cost_text, _report_text
from headrace.cli.target import Json
from tests.factories import NOW

ID = "1a2b3c4d-0000-4000-8000-000000000000"
TYPE = "orders.import_of_a_partner.with_a_very_long_name_of_sixty_four_x"
TIME = "2026-11-26T22:37:07.123456Z"
WIDTH = 80

JOB: Json = {
    "id": ID, "type": TYPE, "status": "succeeded", "attempt": 100, "max_attempts": 100, "created_at": TIME,
    "progress": {"fraction": 1, "message": "9999 of 9999 rows", "at": TIME},
}  # fmt: skip
DURATIONS: Json = {"count": 9, "p50": 9_999.4, "p95": 999_999.0}
COUNTS: Json = dict.fromkeys(("succeeded", "failed", "retrying", "cancelled", "crashed", "paused"), 123_456_789)
REPORT: Json = {
    "recorded": True, "complete": True, "counts": COUNTS, "cost_usd": 1234.567891,
    "types": [{"type": TYPE, "counts": COUNTS, "waiting": DURATIONS, "running": DURATIONS}],
    "failures": [
        {"type": TYPE, "code": "SomeVeryLongExceptionName", "count": 123_456_789, "last_job_id": ID, "last_at": TIME},
    ],
    "unfinished": {
        "exact": True, "by_status": COUNTS, "oldest_due": {"job_id": ID, "status": "scheduled", "since": TIME},
    },
}  # fmt: skip
COST: Json = {
    "usd": 0.000012345, "note": "List prices of eu-central-1, in dollars, without a free tier and without taxes. " * 2,
    "lines": [{"usd": 0.000012345, "what": "the attempts of the standard runner", "quantity": 123456.0,
               "unit": "MB-milliseconds", "how": "the invocations that the job has had, at 1769 MB, to 1 ms"}],
}  # fmt: skip
SCHEDULE: Json = {
    "id": ID, "name": "nightly import of everything", "type": TYPE, "cron": "0 3 * * *", "every_seconds": None,
    "timezone": "America/Argentina/Buenos_Aires", "overlap": "skip", "missed": "all", "paused": False,
    "pause_reason": None, "next": [TIME], "last": None, "failures": 0, "problem": None,
}  # fmt: skip
LANE: Json = {"name": TYPE, "limit": 1000, "rate": {"count": 1000, "per_seconds": 86400}, "mode": "draining",
              "running": 1000, "waiting": 123456}  # fmt: skip
PRINCIPAL: Json = {"id": ID, "kind": "subject", "subject": "https://issuer.example.com#a-client-of-ours",
                   "scopes": ["submit", "read", "manage"], "expires_at": TIME, "disabled": True}  # fmt: skip
USER: Json = {"id": ID, "email": "somebody.with.a.long.name@department.example.com", "role": "member", "disabled": True}
TEXTS: dict[str, tuple[Callable[[Json], str], Json]] = {
    "a job": (job_line, JOB),
    "its progress": (progress_line, JOB),
    "jobs": (lambda page: page_text(page, NOW), {"items": [JOB]}),
    "statistics": (_report_text, REPORT),
    "a cost": (_cost_text, COST),
    "a schedule": (schedule_line, SCHEDULE),
    "a lane": (lanes._line, LANE),
    "a principal": (principals._text, PRINCIPAL),
    "a user": (users._user_text, USER),
    "a webhook": (webhooks._line, {"id": ID, "status": "enabled", "url": "https://hooks.example.com/" + "x" * 40}),
    "job types": (
        job_types._list_text,
        {"items": [{"name": name, "summary": "Import all of it. " * 9, "max_attempts": 5, "timeout_seconds": 9.0,
                    "payload_schema": {}} for name in (TYPE, "a.b")]},
    ),
}  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", TEXTS)
def test_a_table_fits_80_columns_and_has_every_word(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    format_text, document = TEXTS[name]
    whole = format_text(document)
    monkeypatch.setattr(sys, "stdout", Terminal())
    lines = [line for line in format_text(document).splitlines() if not line.startswith("id  ")]
    assert [line for line in lines if len(line) > WIDTH] == []
    assert "…" not in "".join(lines)
    assert whole.split() == [word for line in lines if not line.startswith("id ") for word in line.split()]


@pytest.mark.parametrize("name", sorted(TEXTS.keys() - {"statistics", "a cost", "job types"}))
def test_a_pipe_gets_an_item_a_line(name: str) -> None:
    format_text, document = TEXTS[name]
    assert len(format_text(document).splitlines()) == 1


def test_statistics_say_every_number_with_its_unit() -> None:
    told = _report_text(REPORT)
    for said in ("123456789 succeeded", "p50 167 min", "p95 16667 min", "$1234.567891", ID, TIME, TYPE):
        assert said in told, told
    assert "running p50 167 min" in told


def test_a_part_is_never_broken() -> None:
    assert folded(["ab", "", "cd", "efgh"], 7) == ["ab  cd", "    efgh"]
    assert folded(["a" * 9], 7) == ["a" * 9]
    assert folded([], 7) == []


def test_a_number_stays_with_its_unit() -> None:
    assert folded_text("x  ", "it took 27 ms", 12) == ["x  it took", "    27 ms"]
    values: list[JsonValue] = ["", " "]
    assert [folded_text("", str(each), 12) for each in values] == [[], []]
