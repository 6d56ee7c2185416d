"""A message is sent with the secret of the settings, which is in nothing that anybody reads."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from headrace.testing import JobRun, JobStack, run_job

from notify.message import TOKEN, URL, Message, Sent, send_message

SECRET = "s3cr3t-token"
HELLO = Message(to="ada@example.com", text="Hello")


class Provider(HTTPServer):
    """Stands in for the provider: notes what it gets, and answers as told, the last answer again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers = [202]
        self.received: list[tuple[Mapping[str, str], object]] = []

    @property
    def settings(self) -> dict[str, str]:
        return {URL: f"http://127.0.0.1:{self.server_port}/messages", TOKEN: SECRET}


class Answering(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.received.append((dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0])
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def shown(job: JobRun[Sent]) -> str:
    """All that a caller or an operator may read of it."""
    return f"{job.error} {job.printed} {job.logs} {job.progress} {job.exception!r}"


def test_the_message_is_sent_with_the_secret_and_a_key(provider: Provider) -> None:
    job = run_job(send_message, HELLO, settings=provider.settings, log_level="DEBUG")
    assert job.result.status == 202
    ((headers, body),) = provider.received
    assert body == {"to": "ada@example.com", "text": "Hello"}
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert headers["idempotency-key"]
    assert SECRET not in shown(job)


@pytest.mark.parametrize(("answer", "status"), [(503, "retrying"), (429, "retrying"), (400, "failed"), (401, "failed")])
def test_an_answer_decides_whether_it_is_tried_again(provider: Provider, answer: int, status: str) -> None:
    provider.answers = [answer]
    job = run_job(send_message, HELLO, settings=provider.settings)
    assert job.status == status
    assert SECRET not in shown(job)


def test_a_provider_that_cannot_be_reached_is_tried_again() -> None:
    job = run_job(send_message, HELLO, settings={URL: "http://127.0.0.1:9/", TOKEN: SECRET})
    assert (job.status, job.error and job.error.message) == (
        "retrying",
        "the provider cannot be reached (ConnectError)",
    )


def test_an_exception_that_quotes_the_secret_is_not_shown_to_callers(provider: Provider) -> None:
    """A token with a line break cannot be sent, and the exception says so with the token in it."""
    broken = {**provider.settings, TOKEN: f"{SECRET}\n"}
    job = run_job(send_message, HELLO, settings=broken)
    assert job.error is not None
    assert SECRET not in f"{job.error.message} {job.error.frames}"


async def test_a_message_is_sent_once_the_provider_is_well_again(provider: Provider, job_stack: JobStack) -> None:
    provider.answers = [503, 503, 202]
    job_stack.settings.update(provider.settings)
    job = await job_stack.submit("notify.message", HELLO)
    await job_stack.travel(minutes=5)
    assert job_stack.job(job.id).status == "succeeded"
    assert len({headers["idempotency-key"] for headers, _ in provider.received}) == 1
    assert len(provider.received) == 3
