"""The job types that README and docs show are complete, checked by our own tools, and run."""

import gzip
import re
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from smtplib import SMTPRecipientsRefused

import pytest

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.job import Failed, Job, Succeeded
from headrace import Handler
from headrace.authoring.json_text import JsonText
from headrace.testing import run_job_async
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.documented.charge import charge
from tests.documented.compress import compress
from tests.documented.mail import SendMail, Server
from tests.documented.word_count import count_words
from tests.factories import queued

FILE_ID = "0b9f5f6e-4c1d-4e54-9b57-6d2f6f0c7a11"
ROOT = Path(__file__).parents[2]
SHOWN = re.findall(
    r"<!-- test: (tests/documented/\w+\.py) -->\n```python\n(.*?)```",
    "".join((ROOT / name).read_text() for name in ("README.md", "docs/job-types.md", "docs/durable.md")),
    re.DOTALL,
)


class Outbox:
    """A mail server of the test."""

    def __init__(self, refuses: str = "") -> None:
        self._refuses = refuses
        self.sent: list[tuple[str, str]] = []

    def connect(self, host: str) -> AbstractContextManager[Server]:
        assert host == "mail.internal"
        return nullcontext(self)

    def send_message(self, msg: EmailMessage, /) -> None:
        if msg["To"] == self._refuses:
            raise SMTPRecipientsRefused({})
        self.sent.append((msg["To"], msg["Message-ID"]))


async def run(handler: Handler, payload: str, name: str = "", payload_version: int = 1) -> Job:
    clock, jobs = FakeClock(), FakeJobRepository()
    type = name or handler.definition.name
    job = queued(now=clock(), type=type, payload=JsonText(payload), payload_version=payload_version)
    await jobs.add(Change(job), clock())
    settings = {"SMTP_HOST": "mail.internal"}
    executor = JobExecutor(jobs, Catalogue([handler]), clock, lambda: "fresh", lambda: 0.5, settings)
    executed = await executor.execute(job, clock() + timedelta(minutes=5))
    assert isinstance(executed, Executed)
    return executed.job


def test_each_document_shows_its_job_types_as_they_are_tested() -> None:
    assert [path for path, _ in SHOWN] == [
        "tests/documented/word_count.py",
        "tests/documented/word_count.py",
        "tests/documented/compress.py",
        "tests/documented/mail.py",
        "tests/documented/pay.py",
        "tests/documented/test_pay.py",
        "tests/documented/charge.py",
        "tests/documented/order.py",
        "tests/documented/transfer.py",
    ]
    for path, text in SHOWN:
        assert text == (ROOT / path).read_text(), path


@pytest.mark.parametrize(("path", "text"), dict(SHOWN).items(), ids=dict(SHOWN))
def test_what_is_shown_passes_the_rules_for_job_types(path: str, text: str) -> None:
    assert flaws(text, path if "test_" in path else f"job_types/{Path(path).name}") == ""


def flaws(text: str, name: str) -> str:
    """What our linter finds in the text as a file of this name, in a project without others of its package."""
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--stdin-filename", name, "-"]
    checked = subprocess.run(ruff, input=text, capture_output=True, text=True, cwd=ROOT, check=False)
    return "" if checked.returncode == 0 else checked.stdout


README = dict(re.findall(r"<!-- test: (\S+) -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))


def test_every_block_of_python_in_the_readme_is_tested_and_passes_our_rules() -> None:
    """Those of job types above, that of the client in `tests/e2e/test_readme.py`."""
    assert list(README) == ["client", "tests/documented/word_count.py", "registration"]
    assert len(README) == (ROOT / "README.md").read_text().count("```python\n")
    assert flaws(README["registration"], "job_types/__init__.py") == ""
    assert flaws(README["client"], "scripts/readme.py") == ""


def test_the_registration_that_the_readme_shows_registers_its_job_type(tmp_path: Path) -> None:
    package = tmp_path / "job_types"
    shutil.copytree(ROOT / "job_types", package)
    (package / "word_count.py").write_text(README["tests/documented/word_count.py"])
    (package / "__init__.py").write_text(README["registration"])
    names = "from functions.job_types import load_job_types; print(*load_job_types('job_types').names())"
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    ran = subprocess.run(
        [sys.executable, "-c", names], capture_output=True, text=True, env=path, cwd=tmp_path, check=False
    )
    assert ran.stdout.split() == ["csv.profile", "http.request", "text.word_count"], ran.stderr


async def test_the_function_that_is_shown_counts_words() -> None:
    state = (await run(count_words, '{"text":"a b c"}')).state
    assert isinstance(state, Succeeded)
    assert state.result == '{"words":3}'


async def test_the_function_that_is_shown_fails_where_there_is_nothing_to_count() -> None:
    state = (await run(count_words, '{"text":""}')).state
    assert isinstance(state, Failed)
    assert state.error.message == "there is nothing to count"


MAIL = '{"to":"ada@example.com","subject":"Paid","text":"Thank you."}'


async def test_the_class_that_is_shown_sends_mail_under_the_job_s_key() -> None:
    outbox = Outbox()
    job = await run(SendMail(outbox.connect), MAIL)
    assert isinstance(job.state, Succeeded)
    assert outbox.sent == [("ada@example.com", f"<{job.id}@jobs.example.com>")]


async def test_the_class_that_is_shown_fails_when_the_address_is_refused() -> None:
    state = (await run(SendMail(Outbox(refuses="ada@example.com").connect), MAIL)).state
    assert isinstance(state, Failed)
    assert state.error.code == "refused"


async def test_the_documented_job_type_with_two_versions_runs_jobs_of_both_and_of_its_former_name() -> None:
    older = await run(charge, '{"total": 7}')
    assert isinstance(older.state, Succeeded)
    assert older.state.result == '{"amount":700}'
    newer = await run(charge, '{"amount": 700}', name="shop.charge", payload_version=2)
    assert isinstance(newer.state, Succeeded)
    assert newer.state.result == '{"amount":700}'


async def test_the_job_type_on_files_runs() -> None:
    run = await run_job_async(compress, {"file": {"id": FILE_ID}}, files={FILE_ID: b"a" * 3_000_000})
    assert run.succeeded
    assert gzip.decompress(run.saved["compressed.gz"]) == b"a" * 3_000_000
