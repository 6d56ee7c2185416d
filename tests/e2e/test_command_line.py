"""The command line, as used by people and by scripts."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.job_types import load_job_types
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import free_port
from tests.conftest import FUNCTIONS
from tests.e2e.conftest import HEADRACE, Cli, Stack, clean_environment

GOOD = '{"csv": "a\\n1\\n"}'
BAD = '{"csv": "a,b\\n1\\n"}'


def test_a_job_is_submitted_waited_for_and_shown(cli: Cli) -> None:
    done = cli.run("submit", "csv.profile", "--payload", GOOD, "--wait")
    assert done.returncode == 0
    assert "succeeded" in done.stdout
    assert "submitted" in done.stderr
    job_id = done.stdout.split()[0]
    shown = json.loads(cli.ok("get", job_id, "--json"))
    assert (shown["id"], shown["result"]["rows"]) == (job_id, 1)
    assert job_id in cli.ok("list", "--limit", "1")
    assert job_id in cli.ok("watch", job_id)


def test_a_payload_can_come_from_a_file_or_stdin(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "payload.json").write_text(GOOD)
    assert "queued" in cli.ok("submit", "csv.profile", "--file", str(tmp_path / "payload.json"))
    assert cli.run("submit", "csv.profile", "--file", "-", stdin=GOOD).returncode == 0


def test_a_failed_job_is_replayed_here_and_left_as_it_is_there(cli: Cli) -> None:
    done = cli.run("submit", "csv.profile", "--payload", BAD, "--wait")
    job_id = done.stdout.split()[0]
    before = cli.ok("get", job_id, "--json")
    replayed = cli.run("replay", job_id)
    assert replayed.returncode == 7
    assert f"fetched {job_id}: csv.profile, failed, attempt 1 of 3" in replayed.stderr
    assert "the same as there: malformed_csv: line 2" in replayed.stderr
    assert cli.ok("get", job_id, "--json") == before
    assert cli.run("replay", job_id, "--as", "stranger@example.com").returncode == 6


def test_an_idempotency_key_identifies_one_job(cli: Cli) -> None:
    first = cli.ok("submit", "csv.profile", "--payload", GOOD, "--key", "k1")
    assert cli.ok("submit", "csv.profile", "--payload", GOOD, "--key", "k1").split()[0] == first.split()[0]
    assert cli.run("submit", "csv.profile", "--payload", BAD, "--key", "k1").returncode == 5


def test_a_job_is_cancelled_and_retried(cli: Cli) -> None:
    job_id = cli.ok("submit", "csv.profile", "--payload", GOOD, "--delay", "600").split()[0]
    assert cli.run("watch", job_id, "--timeout", "0.5").returncode == 8
    assert "cancelled" in cli.ok("cancel", job_id)
    assert cli.run("cancel", job_id).returncode == 4
    assert cli.run("watch", job_id).returncode == 7
    assert "queued" in cli.ok("retry", job_id)
    assert cli.run("watch", job_id).returncode == 0


def test_following_a_job_that_is_cancelled_before_it_runs_ends(cli: Cli) -> None:
    job_id = json.loads(cli.ok("submit", "csv.profile", "--payload", GOOD, "--delay", "600", "--json"))["id"]
    cli.ok("cancel", job_id)
    followed = cli.run("logs", job_id, "--follow", timeout=20)
    assert (followed.returncode, followed.stdout, followed.stderr) == (0, "", "the job is cancelled\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("get", "00000000-0000-4000-8000-000000000000"), 3),
        (("get", "../../etc"), 3),
        (("submit", "csv.profile", "--payload", "{"), 5),
        (("submit", "csv.profile", "--payload", "{}"), 5),
        (("submit", "nope", "--payload", "{}"), 5),
        (("submit", "csv.profile"), 2),
        (("submit", "csv.profile", "--payload", "{}", "--file", "-"), 2),
        (("list", "--limit", "0"), 2),
        (("list", "--status", "lost"), 5),
        (("list", "--cursor", "x"), 5),
        (("list", "--as", "stranger@example.com"), 6),
        (("list", "--token", "x"), 6),
        (("nonsense",), 2),
        (("get", "x", "--url", "http://127.0.0.1:1"), 1),
        (("users", "create", "not an address"), 5),
        (("users", "create", "dev@example.com"), 4),
        (("submit", "csv.profile", "--payload", BAD, "--wait"), 7),
    ],
)
def test_every_refusal_has_its_exit_code_and_a_reason_on_stderr(
    cli: Cli, arguments: tuple[str, ...], code: int
) -> None:
    done = cli.run(*arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stderr.strip() or code == 7


def test_an_unknown_user_is_told_how_to_create_one(cli: Cli) -> None:
    done = cli.run("list", "--as", "stranger@example.com")
    assert "`headrace users create stranger@example.com` creates the user" in done.stderr


def test_job_types_are_listed_and_their_examples_are_accepted(cli: Cli) -> None:
    names = [line.split()[0] for line in cli.ok("types").splitlines()]
    assert names == list(load_job_types("job_types").names())
    for name in names:
        example = cli.ok("types", name, "--example")
        assert json.loads(cli.ok("types", name, "--json"))["example"] == json.loads(example)
        assert f"headrace submit {name} --payload" in cli.ok("types", name)
        assert "scheduled" in cli.ok("submit", name, "--payload", example, "--delay", "3600")
    assert cli.run("types", "nope").returncode == 3
    assert cli.run("types", "--example").returncode == 2


def test_failed_jobs_are_listed_counted_and_retried_by_admins(cli: Cli) -> None:
    job_id = cli.run("submit", "csv.profile", "--payload", BAD, "--wait").stdout.split()[0]
    assert job_id in cli.ok("failed", "csv.profile")
    matched, retried = [int(word) for word in cli.ok("failed", "csv.profile", "--dry-run").split() if word.isdigit()]
    assert (matched > 0, retried) == (True, 0)
    only = ("--retry", "--error-code", "malformed_csv")
    assert json.loads(cli.ok("failed", "csv.profile", *only, "--json"))["retried"] > 0
    assert cli.run("watch", job_id).returncode == 7
    cli.ok("users", "create", "member@example.com")
    assert cli.run("failed", "csv.profile", "--as", "member@example.com").returncode == 6


def test_an_admin_lists_the_jobs_of_another_user_by_address_or_id(cli: Cli) -> None:
    user = json.loads(cli.ok("users", "create", "owner@example.com", "--json"))
    job_id = cli.ok("submit", "csv.profile", "--payload", GOOD, "--as", "owner@example.com").split()[0]
    for owner in ("owner@example.com", user["id"]):
        assert cli.ok("list", "--owner", owner).split()[0] == job_id
    assert cli.run("list", "--owner", "nobody@example.com").returncode == 3


def test_a_job_has_the_tags_attempts_and_time_of_its_submission(cli: Cli) -> None:
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    options = ("--run-at", tomorrow.isoformat(), "--max-attempts", "2", "--tag", "team=a")
    job = json.loads(cli.ok("submit", "csv.profile", "--payload", GOOD, *options, "--json"))
    assert (datetime.fromisoformat(job["run_at"]), job["max_attempts"]) == (tomorrow, 2)
    assert job["tags"] == {"team": "a"}


def test_users_are_written_directly_to_the_tables(cli: Cli) -> None:
    created = json.loads(cli.ok("users", "create", " Grace@Example.com ", "--admin", "--name", "Grace", "--json"))
    assert (created["email"], created["role"], created["name"]) == ("grace@example.com", "admin", "Grace")
    assert cli.run("list", "--as", "grace@example.com").stderr == "no jobs\n"


def test_an_admin_limits_what_a_user_may_submit(cli: Cli) -> None:
    user = str(json.loads(cli.ok("users", "create", "limited@example.com", "--json"))["id"])
    assert cli.ok("users", "quota", user).startswith("unfinished jobs: as the deployment says")
    assert cli.ok("users", "quota", user, "--unfinished", "500", "--per-minute", "0") == (
        "unfinished jobs: 500\nper minute: no limit"
    )
    limited = json.loads(cli.ok("users", "quota", "limited@example.com", "--unfinished", "default", "--json"))
    assert limited["quota"] == {"unfinished": None, "submissions_per_minute": 0}
    assert cli.run("users", "quota", user, "--unfinished", "10001").returncode == 5
    assert cli.run("users", "quota", user, "--per-minute", "some").returncode == 2


def test_users_can_be_created_in_the_tables_of_a_deployment(cli: Cli, stack_running: Stack) -> None:
    noted = json.loads((stack_running.folder / ".headrace/stack.json").read_text())
    elsewhere = Cli(stack_running.folder.parent)
    output = elsewhere.ok(
        "users", "create", "first-admin@example.com", "--admin", "--endpoint-url", noted["endpoint_url"],
        "--users-table", "UsersTable", "--emails-table", "UserEmailsTable",
    )  # fmt: skip
    assert "admin" in output
    assert cli.run("list", "--as", "first-admin@example.com").stderr == "no jobs\n"
    lost = elsewhere.run(
        "users", "create", "x@example.com", "--endpoint-url", noted["endpoint_url"], "--users-table", "NoSuchTable"
    )
    assert lost.returncode == 1
    assert "ResourceNotFoundException" in lost.stderr


@pytest.mark.parametrize("function", ["api", "worker", "recorder", "sweeper"])
def test_every_function_is_invoked_with_its_samples(cli: Cli, function: str) -> None:
    for sample in sorted((ROOT / "events/samples").glob(f"{function}_*.json")):
        done = cli.run("invoke", function, "--event", str(sample))
        assert done.returncode == 0, (sample, done.stderr)
        answer = json.loads(done.stdout)
        assert answer.get("statusCode", 200) in {200, 202, 404}
        # Without a queue, undecodable records are left to the mapping's retries.
        poison = (
            [{"itemIdentifier": "100000000000000000005"}] if "poison" in sample.stem or "mixed" in sample.stem else []
        )
        assert answer.get("batchItemFailures", []) == poison


def test_an_unknown_function_or_a_broken_event_is_reported(cli: Cli, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("{}")
    assert (
        "the functions are api, recorder, runner, sweeper, worker"
        in cli.run("invoke", "nope", "--event", str(event)).stderr
    )
    event.write_text("{")
    assert cli.run("invoke", "api", "--event", str(event)).returncode == 5


def test_doctor_finds_everything_in_order(cli: Cli) -> None:
    output = cli.ok("doctor")
    assert output.count("ok  ") == 7
    assert "FAIL" not in output


def test_the_contents_of_the_folder_are_readable_only_by_its_owner(stack_running: Stack) -> None:
    folder = stack_running.folder / ".headrace"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "token-key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "cursor-key").stat().st_mode) == 0o600


def test_without_a_stack_commands_explain_how_to_start_one(tmp_path: Path) -> None:
    for arguments in (("list",), ("users", "create", "a@example.com"), ("invoke", "api", "--event", "/dev/null")):
        done = Cli(tmp_path).run(*arguments)
        assert done.returncode in {1, 5}
    done = Cli(tmp_path).run("list")
    assert "headrace dev" in done.stderr


def test_a_port_in_use_is_reported_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = Cli(tmp_path).run("dev", "--port", port)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"headrace: Something already listens on port {port} of 127.0.0.1; stop it, or choose another port with --port."
    )


def test_a_second_stack_in_one_folder_is_refused(stack_running: Stack) -> None:
    done = stack_running.cli.run("dev", "--port", "0")
    assert done.returncode == 1
    assert stack_running.url in done.stderr


def test_a_database_that_does_not_respond_is_reported_in_one_sentence(tmp_path: Path) -> None:
    done = Cli(tmp_path).run("dev", "--port", "0", "--endpoint-url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "does not respond like DynamoDB" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_host_that_is_not_local_is_refused(tmp_path: Path) -> None:
    done = Cli(tmp_path).run("dev", "--port", "0", "--host", "192.0.2.1")
    assert done.returncode == 1
    assert "--host" in done.stderr


def test_the_stack_stops_cleanly_and_a_restart_keeps_the_jobs(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    waiting = stack.cli.ok("submit", "csv.profile", "--payload", GOOD, "--delay", "4").split()[0]
    done = stack.cli.ok("submit", "csv.profile", "--payload", GOOD, "--wait").split()[0]
    just_now = stack.cli.ok("submit", "csv.profile", "--payload", GOOD).split()[0]
    assert stack.stop(signal.SIGTERM) == 0
    assert not (tmp_path / ".headrace/stack.json").exists()
    again = Stack(tmp_path)
    try:
        assert "succeeded" in again.cli.ok("get", done)
        assert "succeeded" in again.cli.ok("get", just_now), "what was accepted was worked off first"
        assert "succeeded" in again.cli.ok("watch", waiting)
    finally:
        assert again.stop(signal.SIGINT) == 0
    fresh = Stack(tmp_path, "--fresh")
    try:
        assert fresh.cli.run("get", done).returncode == 3
    finally:
        assert fresh.stop() == 0


def test_a_database_that_dies_ends_the_stack_with_one_sentence(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    (database,) = [pid for pid in stack.children() if b"ministack" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(database, signal.SIGKILL)
    assert stack.ended() == 1
    output = (tmp_path / "stderr").read_text()
    assert "headrace: The embedded database ended with code -9" in output
    assert "Traceback" not in output


def test_nothing_is_left_running_when_the_stack_is_killed(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    pids = [pid for name in FUNCTIONS for pid in stack.environments(name)]
    assert len(pids) >= len(FUNCTIONS)
    stack.stop(signal.SIGKILL)
    ends = time.monotonic() + 30  # a function that starts just now looks for its parent when it has started
    while [pid for pid in pids if runs(pid)] and time.monotonic() < ends:
        time.sleep(0.1)
    assert not [pid for pid in pids if runs(pid)]
    again = Stack(tmp_path)
    assert again.stop() == 0


def runs(pid: int) -> bool:
    """Whether a process runs, and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_help_is_there_for_every_command(tmp_path: Path) -> None:
    for command in (
        "dev",
        "demo",
        "token",
        "submit",
        "get",
        "watch",
        "list",
        "cancel",
        "retry",
        "failed",
        "types",
        "completion",
        "users",
        "invoke",
        "doctor",
    ):
        assert "Usage: headrace" in Cli(tmp_path).ok(command, "--help")


def test_a_terminal_without_the_symbols_and_a_closed_pipe_are_no_errors(cli: Cli) -> None:
    job_id = cli.ok("submit", "csv.profile", "--payload", '{"csv": "é\\n1\\n"}', "--wait").split()[0]
    environment = clean_environment() | {"PYTHONIOENCODING": "ascii"}
    shown = subprocess.run(
        [HEADRACE, "get", job_id, "--json"], cwd=cli.folder, capture_output=True, check=True, env=environment
    )
    assert shown.stdout.isascii()
    assert json.loads(shown.stdout)["payload"]["csv"] == "é\n1\n"
    reading, writing = os.pipe()
    os.close(reading)
    left = subprocess.run(
        [HEADRACE, "list"], cwd=cli.folder, stdout=writing, stderr=subprocess.PIPE, check=False, env=environment
    )
    os.close(writing)
    assert left.stderr == b""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Restore SIGINT, which a shell makes its background processes and their children ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_command_without_output(cli: Cli) -> None:
    job_id = cli.ok("submit", "csv.profile", "--payload", GOOD, "--delay", "600").split()[0]
    with subprocess.Popen(
        [HEADRACE, "watch", job_id], cwd=cli.folder, stderr=subprocess.PIPE, text=True, env=clean_environment()
    ) as watching:
        assert watching.stderr is not None
        assert "scheduled" in watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.stderr.read() == ""
    assert watching.returncode == 130
