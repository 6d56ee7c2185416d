"""`headrace replay`: a job of any deployment, run once more in this process; nothing is recorded there."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel, Field, JsonValue, ValidationError, field_validator

from headrace.authoring.json_text import byte_length, from_json_text, to_json_text
from headrace.cli.run import use_variables_here, version_to_run, with_attempt
from headrace.cli.target import ExitCode, Target, fail, json_text, with_target

if TYPE_CHECKING:
    from domain.jobs import job as domain_job
    from domain.jobs.transitions import NewJob
    from headrace.authoring.job_type import Handler
    from headrace.cli.local.context import Given
    from headrace_client import Client, Document, DocumentRef


class FetchedFrame(BaseModel):
    """A place in the handler's code that an exception passed."""

    file: str
    line: int
    function: str


class FetchedError(BaseModel):
    """Why the last attempt failed there."""

    code: str
    message: str
    frames: tuple[FetchedFrame, ...] = ()


class Fetched(BaseModel):
    """A job as a deployment shows it, with all that its handler may see of it."""

    id: str
    type: str
    status: str
    attempt: int
    max_attempts: int
    error: FetchedError | None = None
    result: JsonValue = None
    owner_id: str
    payload: JsonValue
    payload_version: int | None = None
    """None from a deployment that does not tell it: then it is taken to be the version here."""
    tags: dict[str, str] = Field(default_factory=dict)
    steps: int = 0
    """How much it remembers."""
    traceparent: str | None = None

    @field_validator("payload", "result")
    @classmethod
    def can_be_written(cls, document: JsonValue) -> JsonValue:
        """Refuse what Headrace could not have stored."""
        to_json_text(document)
        return document


@click.command()
@click.argument("id", metavar="JOB")
@click.option(
    "--attempt",
    type=click.IntRange(1, 100),
    help="Run it as this attempt, one that the job may have; by default its last.",
)
@with_attempt
@with_target
def replay(
    target: Target,
    id: str,
    attempt: int | None,
    timeout: float | None,
    log_level: str,
    env_files: tuple[Path, ...],
    aws_profile: str | None,
) -> None:
    """Run a job of any deployment in this process.

    It is fetched and run as `run` does; there nothing changes, and at the end the outcomes are compared.
    The handler runs for real, with the settings of this machine and the job's own idempotency key.
    """
    from headrace.cli.local.files import LocalFiles
    from headrace.cli.local.handlers import handler_of
    from headrace.cli.local.shown_attempt import document_of, exit_code, print_result, run_shown
    from headrace_client import HeadraceError

    use_variables_here(env_files, aws_profile)
    there = _fetch(target, id)
    click.echo(_fetched_text(there), err=True)
    number = _number(there, attempt)
    handler = handler_of(there.type)
    client = target.client()

    def link_of(file_id: str) -> str | None:
        try:
            return client.link(file_id)
        except HeadraceError:
            return None

    files, new = LocalFiles(link_of=link_of), _same_job(there, handler, number)
    ended = run_shown(handler, new, number, timeout, log_level, files, _remembered(client, there))
    same, told = compare(there, ended.job)
    click.echo(told, err=True)
    if target.as_json:
        outcome_there = there.model_dump(mode="json", include={"status", "attempt", "result", "error"})
        click.echo(json_text({**document_of(ended), "there": outcome_there, "same": same}, indent=2))
    else:
        print_result(ended)
    sys.exit(exit_code(ended))


def compare(there: Fetched, here: "domain_job.Job") -> tuple[bool | None, str]:
    """Whether the job came to the same here, and that in words; None when it has come to nothing there."""
    from domain.jobs.job import Failed, Retrying, Succeeded, loaded

    match here.state:
        case Succeeded(result=result) if there.status == "succeeded":
            same = _same_documents(there.result, from_json_text(loaded(result)))
            return same, f"{_verdict(same)}: it succeeded, with {'the same' if same else 'another'} result"
        case Failed(error=error) | Retrying(error=error) if there.error is not None:
            same = there.error.code == error.code
            return same, f"{_verdict(same)}: {there.error.code}: {there.error.message}"
        case _ if there.status == "succeeded" or there.error is not None:
            return False, f"{_verdict(same=False)}: {_ending(there)}"
        case _:
            return None, f"nothing to compare: there the job is {there.status}"


def _number(there: Fetched, given: int | None) -> int:
    """Which attempt is run; one that the job cannot have ends the command."""
    number = given or max(there.attempt, 1)
    if number > max(there.attempt, there.max_attempts):
        fail(f"{number} is no attempt of this job: it has at most {there.max_attempts}", ExitCode.INVALID)
    if number > max(there.attempt, 1):
        click.echo(f"it is run here as attempt {number}; there it has had {there.attempt}", err=True)
    return number


def _same_documents(one: JsonValue, other: JsonValue) -> bool:
    """As texts, for Python holds 1, 1.0 and True to be equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _verdict(same: bool) -> str:
    return "the same as there" if same else "not the same as there"


def _ending(there: Fetched) -> str:
    return "it succeeded" if there.error is None else f"{there.error.code}: {there.error.message}"


def _fetch(target: Target, id: str) -> Fetched:
    client = target.client()
    job = client.get(id)
    large: dict[Document, DocumentRef | None] = {"payload": job.payload_ref, "result": job.result_ref}
    loaded = {str(name): client.document(job, name) for name, ref in large.items() if ref is not None}
    answer = job.raw | loaded
    try:
        return Fetched.model_validate(answer)
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors()[0]["loc"])
        fail(f"the answer is a job without a valid {place}: it cannot be run here", ExitCode.ERROR)


def _remembered(client: "Client", there: Fetched) -> "Given":
    """What the job remembers there; a value too large to be listed is made anew."""
    from headrace.cli.local.context import NOTHING_GIVEN, Given

    if not there.steps:
        return NOTHING_GIVEN
    known = [step for step in client.steps(there.id) if step.value_size is None]
    values = {kind: {step.name: step.value for step in known if step.kind == kind} for kind in ("step", "received")}
    return Given(values["step"], values["received"])


def _fetched_text(there: Fetched) -> str:
    size = byte_length(to_json_text(there.payload))
    fetched = f"fetched {there.id}: {there.type}, {there.status}"
    attempts = f"attempt {there.attempt} of {there.max_attempts}"
    error = "" if there.error is None else f"\nlast error there: {there.error.code}: {there.error.message}"
    return f"{fetched}, {attempts}, payload of {size:,} bytes{error}"


def _same_job(there: Fetched, handler: "Handler", attempt: int) -> "NewJob":
    from domain.jobs.transitions import NewJob

    return NewJob(
        id=there.id,
        owner_id=there.owner_id,
        type=there.type,
        payload=to_json_text(there.payload),
        payload_version=version_to_run(handler, there.payload_version),
        tags=there.tags,
        traceparent=there.traceparent,
        max_attempts=max(attempt, there.max_attempts),
    )
