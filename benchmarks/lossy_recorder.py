"""The recorder, but for one record in ten, which it never sees: an entry point for `on_time.py`."""

import zlib

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.recorder.handler import Event, Response
from functions.recorder.handler import handler as honest

ONE_IN = 10


def handler(event: Event, context: LambdaContext) -> Response:
    """Record what is not lost. A record that is delivered again is lost again."""
    records = event.get("Records")
    kept = [record for record in records if not _is_lost(record)] if isinstance(records, list) else []
    return honest({"Records": kept}, context)


def _is_lost(record: object) -> bool:
    change = record.get("dynamodb") if isinstance(record, dict) else None
    number = change.get("SequenceNumber") if isinstance(change, dict) else None
    return zlib.crc32(str(number).encode()) % ONE_IN == 0
