"""Lines of level ERROR in the functions' logs, and whether an injected fault explains each."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from headrace.authoring.frozen import Frozen
from tests.reliability.soak.disturbing import Fault

AFTER: Final = 60.0
"""Seconds after a fault in which its consequences are logged: a sweep, or a message that comes again."""
EXPLAINED: Final = {
    "job_interrupted": "storage did not answer within an attempt; another one follows",
    "job_not_swept": "storage did not answer; the next sweep finds the job",
    "shard_not_swept": "storage did not answer; the next sweep reads the shard",
    "schedule_not_ticked": "storage did not answer; the message comes again",
    "ticks_not_sent": "the queue did not answer; the sweep sends again",
    "wakes_not_sent": "the queue did not answer; the batch comes again, or the sweep finds the jobs",
    "statistics_not_counted": "storage did not answer; the batch comes again",
    "webhooks_not_submitted": "storage did not answer; the batch comes again",
}
"""What a fault of storage or queues may make a function log."""


class Errors(Frozen):
    """What was logged."""

    explained: dict[str, int]
    """Lines by message."""
    unexplained: tuple[str, ...]
    """The lines themselves."""


def errors_in(logs: Path, faults: Sequence[Fault]) -> Errors:
    """Read all logs of a stack's functions."""
    explained, unexplained = Counter[str](), list[str]()
    for path in sorted(logs.glob("*Function.log*")):
        for line in _errors(path):
            message = _explained(line, faults)
            if message is None:
                unexplained.append(f"{path.name}: {line}")
            else:
                explained[message] += 1
    return Errors(explained=dict(explained), unexplained=tuple(unexplained))


def _errors(path: Path) -> Iterator[str]:
    with path.open() as lines:
        for line in lines:
            record = _record(line)
            if record.get("level") in {"ERROR", "CRITICAL"} if record else line.startswith("Traceback"):
                yield line.strip()


def _explained(line: str, faults: Sequence[Fault]) -> str | None:
    """The message of a line that a fault explains."""
    record = _record(line) or {}
    message, said_at = record.get("message"), record.get("timestamp")
    if not isinstance(message, str) or message not in EXPLAINED or not isinstance(said_at, str):
        return None
    at = datetime.fromisoformat(said_at).timestamp()
    return message if any(each.began - 1 <= at <= each.ended + AFTER for each in faults) else None


def _record(line: str) -> dict[str, object] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
