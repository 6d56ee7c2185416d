"""Tables fit a terminal of 80 columns, and numbers keep their digits and units."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue
from rich.console import Console

from headrace.cli.demo import document_of, table_of
from headrace.cli.demo_cases import Case, Ended
from headrace.cli.job_text import HEADER, age, job_text

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ended(group: str, status: str, waited: float, ran: float, attempt: int = 1) -> Ended:
    moments = {"queued": 0.0, "running": waited, status: waited + ran}
    history: list[JsonValue] = [
        {"status": name, "at": (NOW + timedelta(milliseconds=after)).isoformat()} for name, after in moments.items()
    ]
    case = Case(group=group, type="t", payload={}, expect=status)
    return Ended(case=case, job={"attempt": attempt, "status": status, "history": history})


def test_the_demos_jobs_can_be_read_by_programs() -> None:
    document = document_of(ended("quick", "failed", 1, 2))
    assert isinstance(document, dict)
    assert {"group": "quick", "expected": "failed", "as_expected": True, "status": "failed"}.items() <= document.items()


def test_the_table_of_the_demo_fits_80_columns_with_every_number() -> None:
    jobs = [
        *(ended("scheduled, 2 to 4 s ahead", "succeeded", 27, 9999, attempt) for attempt in (1, 9)),
        ended("cancelled before its time", "cancelled", 600_000, 12_345),
        *(ended("a group with a name that is longer than others", "succeeded", 27, 4) for _ in range(120)),
    ]
    output = io.StringIO()
    Console(file=output, width=80).print(table_of(jobs))
    text = output.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    for number in ("27 ms", "9999 ms", "600.0 s", "12.3 s", "4 ms", "120", "1 to 9", "succeeded", "cancelled"):
        assert number in text, text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86_400, "1d"), (9e6, "104d")],
    ids=str,
)
def test_an_age_is_in_the_largest_unit_that_it_fills(seconds: float, text: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == text


def test_the_header_of_a_list_leaves_room_for_types_in_80_columns() -> None:
    assert len(HEADER) <= 70


def test_a_jobs_error_comes_below_its_frames_with_the_source_lines_that_are_here() -> None:
    here: dict[str, JsonValue] = {"file": "tests/factories.py", "line": 1, "function": "a"}
    away: dict[str, JsonValue] = {"file": "my_jobs/orders.py", "line": 7, "function": "Orders.run"}
    job: dict[str, JsonValue] = {"id": "1", "type": "t", "status": "failed", "attempt": 1, "max_attempts": 1}
    text = job_text({**job, "error": {"code": "KeyError", "message": "'tea'", "frames": [away, here]}})
    assert text.splitlines()[1:] == [
        "Traceback (the handler's frames, innermost last):",
        '  File "my_jobs/orders.py", line 7, in Orders.run',
        '  File "tests/factories.py", line 1, in a',
        f"    {Path('tests/factories.py').read_text().splitlines()[0]}",
        "error   KeyError: 'tea'",
    ]
