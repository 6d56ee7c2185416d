"""Upcasts payloads: brings a job of an older payload version to the version of its type that runs here."""

from typing import Final, cast

from pydantic import JsonValue

from domain.jobs.job import Job, loaded
from domain.jobs.outcomes import Raised
from domain.jobs.user_errors import raised, text_of
from headrace.authoring.job_type import AnyJobType
from headrace.authoring.json_text import JsonText, NotJson, from_json_text, to_json_text
from headrace.authoring.outcomes import Fail
from headrace.authoring.upcasts import Upcast

UPCAST_FAILED: Final = "upcast_failed"
PAYLOAD_TOO_OLD: Final = "payload_too_old"


def upcast(definition: AnyJobType, job: Job) -> JsonText | Fail | Raised:
    """The payload as of the type's newest version, or the permanent failure of a step. The job keeps its own."""
    payload = loaded(job.payload)
    for version in range(job.payload_version, definition.payload_version):
        step = definition.upcasts.get(version)
        if step is None:
            oldest = definition.oldest_payload_version
            why = f"the payload is of version {version}; {definition.name} runs payloads of version {oldest} and later"
            return Fail(code=PAYLOAD_TOO_OLD, reason=why)
        stepped = _stepped(step, payload, version)
        if isinstance(stepped, Fail | Raised):
            return stepped
        payload = stepped
    return payload


def _stepped(step: Upcast, payload: JsonText, version: int) -> JsonText | Fail | Raised:
    what = f"the upcast from version {version} to {version + 1}"
    try:
        # Of which model the document is, only the step's author knows.
        document = step(from_json_text(payload))  # type: ignore[arg-type]  # see above
    except BaseException as error:  # noqa: BLE001 - a step is user code
        told = raised(error)
        message = text_of(f"{what} raised {told.code}: {told.message}")
        return Raised(code=UPCAST_FAILED, message=message, frames=told.frames, permanent=True)
    try:
        return to_json_text(cast("JsonValue", document))
    except (NotJson, TypeError, RecursionError):
        return Fail(code=UPCAST_FAILED, reason=f"{what} returned {text_of(type(document).__name__)}, which is not JSON")
