"""What the soak takes for a leak, and which lines of a log it takes for explained."""

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.reliability.soak.disturbing import Fault
from tests.reliability.soak.logs import AFTER, errors_in
from tests.reliability.soak.watching import Sample, Trend

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
OUTAGE = Fault(name="database down", began=AT.timestamp(), ended=AT.timestamp() + 5)


def sample(megabytes: float, descriptors: int) -> Sample:
    return Sample(at=0, megabytes=megabytes, descriptors=descriptors)


def test_memory_and_descriptors_that_grow_are_leaks() -> None:
    early = sample(100, 20)
    assert Trend(early=early, late=sample(110, 25)).is_flat
    assert not Trend(early=early, late=sample(150, 20)).is_flat
    assert not Trend(early=early, late=sample(100, 60)).is_flat


def record(message: str, seconds: float, level: str = "ERROR") -> str:
    said_at = datetime.fromtimestamp(AT.timestamp() + seconds, UTC).isoformat()
    return json.dumps({"level": level, "message": message, "timestamp": said_at}) + "\n"


def test_a_line_of_level_error_needs_a_fault_that_explains_it(tmp_path: Path) -> None:
    (tmp_path / "WorkerFunction.log").write_text(
        record("job_interrupted", 1)
        + record("job_interrupted", 5 + AFTER + 1)
        + record("record_undecodable", 1)
        + record("job_lease_lost", 1, "WARNING")
        + "printed by a handler\nTraceback (most recent call last):\n"
    )
    found = errors_in(tmp_path, [OUTAGE])
    assert found.explained == {"job_interrupted": 1}
    late, poison, crash = found.unexplained
    assert "job_interrupted" in late
    assert "record_undecodable" in poison
    assert "Traceback" in crash
