"""`headrace logs` on the logs of a stack that has run."""

import json
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.cli.logs import Tail
from headrace.cli.main import main
from headrace.cli.target import ExitCode
from headrace.emulator.log_file import LogFile, older
from tests.unit.cli.test_log_text import JOB, finished, logged

OTHER = "1a2bffff-0000-4000-8000-000000000000"


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".headrace" / "logs"
    folder.mkdir(parents=True)
    first, *rest = [logged("job_attempt_started"), logged("hello", source="stdout"), finished("retrying")]
    older(folder / "WorkerFunction.log").write_text(f"{first}\n")
    theirs = logged("job_attempt_started", job_id=OTHER, timestamp="2026-11-26 22:37:08,000+0000")
    (folder / "WorkerFunction.log").write_text("\n".join([*rest, theirs, "plain", ""]))
    swept = {"after": "queued", "before": "retrying", "timestamp": "2026-11-26 22:37:07,500+0000"}
    (folder / "SweeperFunction.log").write_text(logged("job_swept", **swept) + "\n")
    (folder / "invoke-ApiFunction.log").write_text("not of the stack\n")
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["logs", *arguments])


def test_a_job_has_all_its_lines_of_every_function_in_order(logs: Path) -> None:
    lines = [json.loads(line) for line in run(JOB, "--json").stdout.splitlines()]
    assert [line["message"] for line in lines] == ["job_attempt_started", "hello", "job_attempt_finished", "job_swept"]
    assert [line["function"] for line in lines] == ["WorkerFunction"] * 3 + ["SweeperFunction"]


def test_a_unique_beginning_of_an_id_is_enough(logs: Path) -> None:
    assert run("1a2b3").stdout == run(JOB).stdout != ""
    ambiguous = run("1a2b")
    assert ambiguous.exit_code == ExitCode.USAGE
    assert "2 jobs have an id that begins with 1a2b" in ambiguous.stderr
    missing = run("77")
    assert missing.exit_code == ExitCode.NOT_FOUND
    assert "nothing was logged about a job 77" in missing.stderr


def test_without_a_job_it_shows_the_last_lines_and_what_is_no_record_too(logs: Path) -> None:
    assert "WorkerFunction | plain" in run().stdout
    assert len(run("-n", "2", "--json").stdout.splitlines()) == 2
    assert json.loads(run("-n", "1", "--json").stdout) == {"function": "WorkerFunction", "message": "plain"}
    assert "not of the stack" not in run().stdout


def test_one_function_can_be_chosen_and_an_unknown_one_is_said(logs: Path) -> None:
    assert len(run("--function", "sweeper", "--json").stdout.splitlines()) == 1
    assert run("--function", "SweeperFunction").stdout == run("--function", "sweeper").stdout
    unknown = run("--function", "mailer")
    assert unknown.exit_code == ExitCode.NOT_FOUND
    assert "there is no function 'mailer'; the functions are api, recorder, standardrunner, sweeper, worker" in (
        unknown.stderr
    )


def test_a_function_that_has_not_logged_yet_is_known_and_can_be_followed(logs: Path) -> None:
    """As after a start: the recorder has nothing to say before a job waits."""
    none_yet = run("--function", "recorder")
    assert none_yet.exit_code == 0
    assert (none_yet.stdout, none_yet.stderr) == ("", "no log yet of RecorderFunction\n")


def test_a_stack_that_has_just_started_has_no_log_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".headrace").mkdir()
    assert (run().exit_code, run().stderr) == (0, "no log yet of any function\n")


def test_following_shows_functions_that_begin_to_log_meanwhile(logs: Path) -> None:
    later = {"timestamp": "2026-11-26 22:37:09,000+0000"}

    def begin() -> None:
        time.sleep(0.2)
        line = logged("job_swept", before="running", after="failed", **later)
        (logs / "RecorderFunction.log").write_text(f"{line}\n")

    writing = threading.Thread(target=begin)
    writing.start()
    followed = run(JOB, "--follow", "--json")
    writing.join()
    assert json.loads(followed.stdout.splitlines()[-1])["function"] == "RecorderFunction"


def test_a_folder_in_which_no_stack_has_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == ExitCode.ERROR
    assert "no stack has run in this folder" in result.stderr


def test_following_a_job_shows_new_lines_and_stops_when_it_has_ended(logs: Path) -> None:
    later = {"timestamp": "2026-11-26 22:37:09,000+0000"}

    def go_on() -> None:
        time.sleep(0.2)
        with (logs / "WorkerFunction.log").open("a") as log:
            log.write(f"{logged('again', source='stdout', **later)}\n{finished('succeeded', **later)}\n")

    writing = threading.Thread(target=go_on)
    writing.start()
    followed = run(JOB, "--follow", "--json")
    writing.join()
    messages = [json.loads(line)["message"] for line in followed.stdout.splitlines()]
    assert messages[-2:] == ["again", "job_attempt_finished"]
    assert run(JOB, "--follow").exit_code == 0, "it has ended, so there is nothing to wait for"


def test_a_tail_loses_nothing_when_the_log_begins_anew(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "WorkerFunction.log", max_bytes=60)
    tail = Tail(log.path)
    seen: list[str] = []
    for number in range(20):
        log.append(f"line {number}\n".encode())
        if number % 3 == 0:
            seen.extend(line.text for _, line in tail.lines())
    assert [*seen, *(line.text for _, line in tail.lines())] == [f"line {number}" for number in range(20)]


def test_a_tail_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "WorkerFunction.log"
    tail = Tail(path)
    assert tail.lines() == []
    path.write_text("half")
    assert tail.lines() == []
    path.write_text("half a line\n")
    assert [line.text for _, line in tail.lines()] == ["half a line"]
