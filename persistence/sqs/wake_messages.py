"""Messages of the wake queue: what they say, and how Lambda delivers them.

The record's shape is AWS's (Lambda Developer Guide, "Using Lambda with Amazon SQS").
"""

from collections.abc import Mapping

from pydantic import ValidationError

from domain.jobs.wake_queue import Wake
from headrace.authoring.frozen import Frozen


class WakeMessage(Frozen):
    """A message, as the queue delivered it."""

    message_id: str
    wake: Wake


class UndecodableMessage(Frozen):
    """A message that is not one of ours; it reports paths, never contents."""

    message_id: str | None
    detail: str


def body_of(wake: Wake) -> str:
    """What a message says."""
    return wake.model_dump_json(exclude={"owner_id"})


def decode_message(record: object) -> WakeMessage | UndecodableMessage:
    """Decode a record of a queue's event. Never raises."""
    if not isinstance(record, Mapping):
        return UndecodableMessage(message_id=None, detail="not an object")
    message_id, body = record.get("messageId"), record.get("body")
    if not isinstance(message_id, str) or not message_id:
        return UndecodableMessage(message_id=None, detail="no message id")
    if not isinstance(body, str):
        return UndecodableMessage(message_id=message_id, detail="no body")
    try:
        return WakeMessage(message_id=message_id, wake=Wake.model_validate_json(body))
    except ValidationError as error:
        places = {".".join(map(str, each["loc"])) or each["type"] for each in error.errors(include_input=False)}
        return UndecodableMessage(message_id=message_id, detail=", ".join(sorted(places)))
