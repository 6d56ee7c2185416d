"""The jobs of the demo, with the expected end of each."""

import csv
import io
from collections.abc import Callable
from itertools import groupby

from pydantic import JsonValue

from headrace.authoring.frozen import Frozen
from headrace.cli.target import Json
from headrace.emulator.cloudformation import ROOT

DATA = ROOT / "examples" / "data"
PROFILE, REQUEST = "csv.profile", "http.request"


class Case(Frozen):
    """A job, and how it should end."""

    group: str
    type: str
    payload: dict[str, JsonValue]
    delay: float | None = None
    """Seconds."""
    expect: str = "succeeded"
    rows: int | None = None
    """Rows that the profile must count."""
    code: str | None = None
    """The error code that the job must end with."""
    attempts: int | None = None
    """How many attempts the job must have had."""
    cancel: bool = False
    """Whether the demo cancels it."""


class Ended(Frozen):
    """A case, and its job after it ended."""

    case: Case
    job: Json

    @property
    def as_expected(self) -> bool:
        """Whether status, result, error and attempts are as the case expects."""
        case, job = self.case, self.job
        result, error = job.get("result"), job.get("error")
        rows = result.get("rows") if isinstance(result, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        return (
            job["status"] == case.expect
            and case.rows in {None, rows}
            and case.code in {None, code}
            and case.attempts in {None, job["attempt"]}
        )


def cases(receiver: str) -> tuple[Case, ...]:
    """All jobs of the demo: whole data sets, parts of them, and special cases such as failures and retries."""
    documents = {path.stem: path.read_text() for path in sorted(DATA.glob("*.csv"))}
    weather = documents["seattle-weather"]
    broken = weather.replace("2012-02-01,13.5", '2012-02-01,"13.5', 1)
    later = _parts(documents["us-employment"], lambda row: row[0][:4])
    deliver: dict[str, JsonValue] = {"url": f"{receiver}/ok", "body": "hello"}
    flaky: dict[str, JsonValue] = {"url": f"{receiver}/flaky"}
    metadata: dict[str, JsonValue] = {"url": "http://169.254.169.254/latest/"}
    malformed, never = _csv(broken), _csv(weather)
    return (
        *(Case(group="whole data sets", type=PROFILE, payload=_csv(t), rows=_rows(t)) for t in documents.values()),
        *(_part("weather by month", part) for part in _parts(weather, lambda row: row[0][:7])),
        *(_part("airports by state", part) for part in _parts(documents["airports"], lambda row: row[3])),
        *(_part("electricity by source", part) for part in _parts(documents["iowa-electricity"], lambda row: row[1])),
        *(_part("scheduled, 2 to 4 s ahead", part, delay=2 + n % 3) for n, part in enumerate(later)),
        *(Case(group="HTTP deliveries", type=REQUEST, payload=deliver, attempts=1) for _ in range(25)),
        Case(group="HTTP, fails twice first", type=REQUEST, payload=flaky, attempts=3),
        Case(
            group="HTTP to a private address", type=REQUEST, payload=metadata, expect="failed", code="forbidden_address"
        ),
        Case(group="malformed CSV", type=PROFILE, payload=malformed, expect="failed", code="malformed_csv", attempts=1),
        Case(
            group="cancelled before its time", type=PROFILE, payload=never, delay=3600, expect="cancelled", cancel=True
        ),
    )


def _csv(document: str) -> dict[str, JsonValue]:
    return {"csv": document}


def _part(group: str, document: str, delay: float | None = None) -> Case:
    return Case(group=group, type=PROFILE, payload=_csv(document), delay=delay, rows=_rows(document), attempts=1)


def _rows(document: str) -> int:
    return sum(1 for row in csv.reader(io.StringIO(document)) if row) - 1


def _parts(document: str, key: Callable[[list[str]], str]) -> list[str]:
    """Split the document into one document per key of its rows."""
    header, *rows = [row for row in csv.reader(io.StringIO(document)) if row]
    return [_written([header, *part]) for _, part in groupby(sorted(rows, key=key), key=key)]


def _written(rows: list[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
