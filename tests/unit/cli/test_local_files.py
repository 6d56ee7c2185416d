"""Files of an attempt that runs in the command's own process."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from domain.jobs.job import Failed, Retrying, Succeeded, loaded
from domain.jobs.transitions import NewJob
from headrace import Handler
from headrace.authoring.json_text import to_json_text
from headrace.cli.local.attempt import Ended, claimed_job, run_attempt
from headrace.cli.local.files import LocalFiles
from tests.serving import serving
from tests.unit.testing.test_files import Upper, upper, upper_async

BOTH = pytest.mark.parametrize("handler", [upper, upper_async], ids=["plain", "async"])
CONTENT = b"one\ntwo\n"


def now() -> datetime:
    return datetime.now(UTC)


def attempted(handler: Handler, files: LocalFiles, file_id: str) -> Ended:
    new = NewJob(
        id=str(uuid.uuid4()), owner_id="local", type=handler.definition.name,
        payload=to_json_text({"source": {"id": file_id}}), max_attempts=3,
    )  # fmt: skip
    job = claimed_job(new, handler.definition.policy, 1, now)
    of_job = files.job_files(now)
    ended = run_attempt(handler, job, {}, None, now, lambda _fraction, _message: None, lambda: of_job)
    assert isinstance(ended, Ended)
    return ended


def saved_by(ended: Ended, stderr: str) -> bytes:
    assert isinstance(ended.job.state, Succeeded), ended.job.state
    made = Upper.model_validate_json(loaded(ended.job.state.result)).made
    path = Path(stderr.strip().removeprefix("saved upper.txt: "))
    content = path.read_bytes()
    path.unlink()
    assert path.name == made.id
    return content


@BOTH
def test_a_handler_reads_a_file_of_this_machine_and_saves_beside_it(
    handler: Handler, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, file_id = tmp_path / "source.txt", str(uuid.uuid4())
    path.write_bytes(CONTENT)
    ended = attempted(handler, LocalFiles({file_id: path}), file_id)
    assert saved_by(ended, capsys.readouterr().err) == CONTENT.upper()


@BOTH
def test_a_handler_reads_a_file_of_the_deployment_by_its_link(
    handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        part = request.http_range
        return web.Response(body=CONTENT[part] if part.start is not None else CONTENT)

    with serving(answer) as url:
        ended = attempted(handler, LocalFiles(link_of=lambda _id: url), str(uuid.uuid4()))
    assert saved_by(ended, capsys.readouterr().err) == CONTENT.upper()


@BOTH
def test_a_file_that_is_nowhere_fails_the_attempt_as_on_a_worker(handler: Handler) -> None:
    ended = attempted(handler, LocalFiles(), str(uuid.uuid4()))
    assert isinstance(ended.job.state, Failed)
    assert ended.job.state.error.code == "FileMissing"


@BOTH
def test_a_deployment_that_does_not_answer_is_told(handler: Handler) -> None:
    ended = attempted(handler, LocalFiles(link_of=lambda _id: "http://127.0.0.1:9/x"), str(uuid.uuid4()))
    assert isinstance(ended.job.state, Retrying)
    assert ended.job.state.error.code == "FileUnavailable"
