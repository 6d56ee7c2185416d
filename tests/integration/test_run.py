"""`headrace run` and `headrace replay`, as a developer uses them."""

import json
import os
import re
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from headrace.cli.main import main
from headrace.emulator.cloudformation import ROOT
from tests.e2e.conftest import HEADRACE, clean_environment
from tests.serving import serving

GOOD = '{"csv": "a\\n1\\n"}'
BAD = '{"csv": "a,b\\n1\\n"}'

ORDERS = """
    import asyncio, logging, subprocess, time

    from pydantic import BaseModel

    from headrace import JobContext, JobType, Secret, SyncJobContext, job_type


    class Order(BaseModel):
        what: str


    class Receipt(BaseModel):
        text: str


    def price(order):
        return {"tea": 7}[order.what]


    class Plain:
        definition = JobType[Order, Receipt](
            name="orders.plain", summary="", payload=Order, result=Receipt, settings=("SHOP_URL", "SHOP_KEY")
        )

        def run(self, order: Order, context: SyncJobContext) -> Receipt:
            print("printed", flush=True)
            logging.getLogger("shop").info("logged")
            logging.getLogger("shop").debug("detail")
            match order.what:
                case "program":
                    subprocess.run(["echo", "by a program"], check=True)
                case "debug":
                    breakpoint()
                case "sleep":
                    time.sleep(60)
                case "key":
                    import boto3

                    key = boto3.Session().get_credentials().access_key
                    return Receipt(text=f"{dict(context.settings)} {key}")
                case "settings":
                    return Receipt(text=str(dict(context.settings)))
                case _:
                    price(order)
            return Receipt(text=order.what)


    class Later:
        definition = JobType[Order, Receipt](name="orders.later", summary="", payload=Order, result=Receipt)

        async def run(self, order: Order, context: JobContext) -> Receipt:
            await context.report_progress(0.25, "begun")
            if order.what == "debug":
                breakpoint()
            if order.what == "sleep":
                try:
                    print("asleep")
                    await asyncio.sleep(60)
                finally:
                    await asyncio.sleep(0.01)
                    print("cleaned up")
            return Receipt(text=order.what)


    @job_type(
        "orders.changed",
        payload_version=2,
        upcasts={1: lambda order: {"what": order["item"]}},
        aliases=("orders.old",),
    )
    def changed(order: Order) -> Receipt:
        "Changed."
        return Receipt(text=order.what)


    class Payment(BaseModel):
        token: Secret


    @job_type("orders.pay")
    def pay(payment: Payment) -> Receipt:
        "Pay."
        print("paying with", payment.token.value)
        logging.getLogger("shop").warning("paying with %s", payment.token.value)
        return Receipt(text=payment.token.value)


    JOB_TYPES = (Plain(), Later(), changed, pay)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with job types of its own."""
    (tmp_path / "my_jobs").mkdir()
    (tmp_path / "my_jobs" / "__init__.py").write_text(textwrap.dedent(ORDERS))
    return tmp_path


def started(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [HEADRACE, *arguments], cwd=folder, env=clean_environment() | {"JOB_TYPES": "my_jobs"} | environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ran(folder: Path, type: str, what: str, *options: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
    """Code, stdout and stderr of a job type of the folder."""
    arguments = ("run", type, "--payload", json.dumps({"what": what}), *options)
    with started(folder, *arguments, **environment) as process:
        stdout, stderr = process.communicate(stdin, timeout=60)
    return process.returncode, stdout, stderr


def test_a_handler_has_its_secrets_and_nothing_shows_them(folder: Path) -> None:
    arguments = ("run", "orders.pay", "--payload", '{"token":{"secret":"stripe"}}')
    with started(folder, *arguments, SECRET_STRIPE="sk_live_0123456789") as process:
        stdout, stderr = process.communicate("", timeout=60)
    assert process.returncode == 0, stderr
    assert json.loads(stdout) == {"text": "[secret stripe]"}
    assert stderr.count("paying with [secret stripe]") == 2
    with started(folder, *arguments) as process:
        stdout, stderr = process.communicate("", timeout=60)
    assert process.returncode == 7
    assert "secret_missing: the job's owner has no secret 'stripe'" in stderr


def told(*arguments: str) -> tuple[int, str, str]:
    """Code, stdout and stderr of a command in this process."""
    done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "a bug in Headrace" not in done.stderr
    return done.exit_code, done.stdout, done.stderr


def test_the_result_and_nothing_else_goes_to_stdout() -> None:
    code, stdout, stderr = told("run", "csv.profile", "--payload", GOOD)
    assert code == 0
    assert json.loads(stdout)["rows"] == 1
    assert stderr.startswith("csv.profile  attempt 1 of 3\nsucceeded, ran ")


def test_a_payload_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "payload.json").write_text(GOOD)
    assert told("run", "csv.profile", "--file", str(tmp_path / "payload.json"))[0] == 0
    done = CliRunner().invoke(main, ["run", "csv.profile", "--file", "-"], input=GOOD)
    assert done.exit_code == 0


def test_a_failure_says_why_and_that_it_is_final() -> None:
    code, stdout, stderr = told("run", "csv.profile", "--payload", BAD, "--attempt", "9")
    assert (code, stdout) == (7, "")
    assert "attempt 9 of 9" in stderr
    assert "malformed_csv: line 2: expected 2 fields" in stderr
    assert "it would not be tried again" in stderr


def test_the_whole_outcome_can_be_had_as_json() -> None:
    code, stdout, _ = told("run", "csv.profile", "--payload", BAD, "--json")
    document = json.loads(stdout)
    assert code == 7
    assert (document["status"], document["reason"], document["result"]) == ("failed", "permanent", None)
    assert document["error"]["code"] == "malformed_csv"
    assert document["error"]["frames"] == []


def test_a_payload_that_is_refused_is_invalid_and_its_places_are_said() -> None:
    code, stdout, stderr = told("run", "csv.profile", "--payload", '{"csv": 7}')
    assert (code, stdout) == (5, "")
    assert "invalid_payload: csv: Input should be a valid string\n" in stderr


def test_an_unknown_type_is_not_found_and_the_nearest_is_named() -> None:
    code, _, stderr = told("run", "csv.profil", "--payload", "{}")
    assert code == 3
    assert "there is no 'csv.profil'; did you mean csv.profile? there are: csv.profile, http.request" in stderr
    assert "did you mean" not in told("run", "zzz", "--payload", "{}")[2]


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("--payload", "{}", "--file", "-"), ("--payload", "{}", "--attempt", "0"),
        ("--payload", "{}", "--attempt", "101"), ("--payload", "{}", "--timeout", "0"),
        ("--payload", "{}", "--timeout", "nan"), ("--payload", "{}", "--log-level", "LOUD"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    assert told("run", "csv.profile", *arguments)[0] == 2


@pytest.mark.parametrize("payload", ["", "{", "NaN", '"\\ud800"', "[" * 100_000, "9" * 100_000])
def test_a_payload_that_is_no_json_is_invalid(payload: str) -> None:
    assert told("run", "csv.profile", "--payload", payload)[0] == 5


def test_prints_logs_and_programs_of_a_handler_go_to_stderr_as_they_happen(folder: Path) -> None:
    code, stdout, stderr = ran(folder, "orders.plain", "program")
    assert (code, json.loads(stdout)) == (0, {"text": "program"})
    assert stderr.index("printed") < stderr.index("INFO    shop  logged") < stderr.index("by a program")
    assert "detail" not in stderr
    assert "detail" in ran(folder, "orders.plain", "program", POWERTOOLS_LOG_LEVEL="DEBUG")[2]


def test_an_exception_is_shown_with_the_handlers_frames_and_source_lines(folder: Path) -> None:
    code, stdout, stderr = ran(folder, "orders.plain", "coffee")
    assert (code, stdout) == (7, "")
    source = (folder / "my_jobs" / "__init__.py").read_text().splitlines()
    outer, inner = (
        source.index("                price(order)") + 1,
        source.index('    return {"tea": 7}[order.what]') + 1,
    )
    shown = stderr.splitlines()
    begin = shown.index("Traceback (the handler's frames, innermost last):")
    assert shown[begin + 1 : begin + 6] == [
        f'  File "my_jobs/__init__.py", line {outer}, in Plain.run',
        "    price(order)",
        f'  File "my_jobs/__init__.py", line {inner}, in price',
        '    return {"tea": 7}[order.what]',
        "KeyError: 'coffee'",
    ]
    assert shown[-1] == "attempt 2 of 5 would start within 2 s"


def test_the_lines_of_the_documentation_work_as_printed(tmp_path: Path) -> None:
    shown = (ROOT / "docs" / "job-types.md").read_text()
    script = re.findall(r"<!-- test: env -->\n```sh\n(.*?)```", shown, re.DOTALL)[0]
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mail.py").write_text((ROOT / "tests" / "documented" / "mail.py").read_text())
    code = """
        from contextlib import contextmanager
        from types import SimpleNamespace
        from shop.mail import SendMail

        @contextmanager
        def connected(host):
            print(f"connected to {host}")
            yield SimpleNamespace(send_message=print)

        JOB_TYPES = (SendMail(connected),)
    """
    (tmp_path / "shop" / "__init__.py").write_text(textwrap.dedent(code))
    path = f"{Path(HEADRACE).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, env=clean_environment() | {"JOB_TYPES": "shop", "PATH": path},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "connected to mail.example.com" in done.stderr


def test_a_file_of_variables_or_a_profile_that_is_not_there_ends_the_command(tmp_path: Path) -> None:
    arguments = ("run", "csv.profile", "--payload", GOOD)
    assert told(*arguments, "--env-file", str(tmp_path / "no.env"))[0] == 1
    code, _, stderr = told(*arguments, "--aws-profile", "no-such-profile")
    assert (code, stderr.split(" in ")[0]) == (1, "headrace: There is no AWS profile 'no-such-profile'")


@pytest.mark.parametrize(("options", "key"), [((), "local"), (("--aws-profile", "shop"), "REAL")])
def test_variables_come_from_the_projects_file_and_real_credentials_only_when_asked_for(
    folder: Path, options: tuple[str, ...], key: str
) -> None:
    (folder / ".env").write_text("SHOP_URL=file\nSHOP_KEY=file\nJOB_TYPES=other\nJOBS_TABLE=mine\n")
    (folder / "config").write_text("[profile shop]\naws_access_key_id = REAL\naws_secret_access_key = x\n")
    shell = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_ACCESS_KEY_ID": "SHELL", "AWS_SECRET_ACCESS_KEY": "x"}
    _, stdout, stderr = ran(folder, "orders.plain", "key", *options, SHOP_URL="shell", **shell)
    assert json.loads(stdout)["text"] == f"{{'SHOP_URL': 'shell', 'SHOP_KEY': 'file'}} {key}"
    assert ".env:3: JOB_TYPES has no effect: Headrace sets it itself" in stderr
    assert ".env:4: JOBS_TABLE has no effect: Headrace sets it itself" in stderr


def test_settings_come_from_the_environment_and_missing_ones_are_said(folder: Path) -> None:
    _, stdout, stderr = ran(folder, "orders.plain", "settings", SHOP_URL="http://shop.test", OTHER="x")
    assert json.loads(stdout) == {"text": "{'SHOP_URL': 'http://shop.test'}"}
    assert "note: orders.plain may read SHOP_KEY, not in the environment here" in stderr


@pytest.mark.parametrize("type", ["orders.plain", "orders.later"])
def test_a_breakpoint_stops_the_handler_and_the_result_stays_alone_on_stdout(folder: Path, type: str) -> None:
    code, stdout, stderr = ran(folder, type, "debug", stdin="p order\nc\n")
    assert (code, json.loads(stdout)) == (0, {"text": "debug"})
    assert "(Pdb) Order(what='debug')" in stderr


@pytest.mark.parametrize("type", ["orders.plain", "orders.later"])
def test_leaving_the_debugger_ends_the_command_as_interrupted(folder: Path, type: str) -> None:
    code, stdout, stderr = ran(folder, type, "debug", stdin="q\n")
    assert (code, stdout) == (130, "")
    assert stderr.endswith("interrupted\n")


@pytest.mark.parametrize(("type", "begun"), [("orders.plain", "printed"), ("orders.later", "asleep")])
def test_ctrl_c_ends_the_attempt_after_its_clean_up(folder: Path, type: str, begun: str) -> None:
    with started(folder, "run", type, "--payload", '{"what": "sleep"}') as process:
        assert process.stderr is not None
        seen = ""
        while begun not in seen:
            seen += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.endswith("interrupted\n")
    assert ("cleaned up" in stderr) == (type == "orders.later")


def test_a_payload_of_an_older_version_is_upcast(folder: Path) -> None:
    arguments = ("run", "orders.old", "--payload", '{"item": "tea"}', "--payload-version", "1")
    with started(folder, *arguments) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert json.loads(stdout) == {"text": "tea"}
    assert stderr.startswith("orders.old  attempt 1 of 5")
    fetched = {**JOB, "type": "orders.changed", "payload": {"item": "tea"}, "payload_version": 1}
    with deployment(fetched) as (url, _), started(folder, "replay", "0f3c", "--url", url, "--token", "x") as process:
        assert json.loads(process.communicate(timeout=60)[0]) == {"text": "tea"}


def test_a_payload_of_a_newer_version_is_not_run() -> None:
    newer = "headrace: the payload is of version 2, and csv.profile here runs versions up to 1\n"
    assert told("run", "csv.profile", "--payload", GOOD, "--payload-version", "2")[::2] == (5, newer)
    code, _, stderr = replayed(JOB | {"payload_version": 2})
    assert code == 5
    assert stderr.endswith(newer)


def test_job_types_that_cannot_be_imported_are_told_with_their_place(folder: Path) -> None:
    (folder / "my_jobs" / "__init__.py").write_text("import my_jobs.orders\n")
    (folder / "my_jobs" / "orders.py").write_text("def run(:\n")
    code, _, stderr = ran(folder, "orders.plain", "tea")
    assert code == 1
    assert '  File "my_jobs/orders.py", line 1, in <module>\n    def run(:\n' in stderr
    assert "headrace: JOB_TYPES=my_jobs: my_jobs/orders.py:1 cannot be imported: SyntaxError: invalid syntax" in stderr


JOB: dict[str, object] = {
    "id": "0f3c", "owner_id": "owner-1", "type": "csv.profile", "status": "failed", "attempt": 2, "max_attempts": 5,
    "payload": json.loads(BAD), "result": None, "tags": {"k": "v"},
    "error": {"code": "malformed_csv", "message": "line 2"},
}  # fmt: skip


@contextmanager
def deployment(job: dict[str, object], status: int = 200) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A deployment that has one job: its URL, and what it was asked."""
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.method, request.path))
        return web.json_response(job, status=status)

    with serving(answer) as url:
        yield url, asked


def replayed(job: dict[str, object], *options: str) -> tuple[int, str, str]:
    with deployment(job) as (url, asked):
        found = told("replay", str(JOB["id"]), "--url", url, "--token", "x", *options)
    assert asked == [("GET", "/v1/jobs/0f3c")], "it is read and nothing else"
    return found


def test_a_replay_says_what_it_fetched_runs_it_and_compares() -> None:
    code, stdout, stderr = replayed(JOB)
    assert (code, stdout) == (7, "")
    assert stderr.startswith(
        "fetched 0f3c: csv.profile, failed, attempt 2 of 5, payload of 18 bytes\n"
        "last error there: malformed_csv: line 2\n"
        "csv.profile  attempt 2 of 5\n"
    )
    assert stderr.endswith("the same as there: malformed_csv: line 2\n")


@pytest.mark.parametrize(
    ("there", "verdict"),
    [
        ({"error": {"code": "KeyError", "message": "'x'"}}, "not the same as there: KeyError: 'x'"),
        ({"status": "retrying"}, "the same as there: malformed_csv: line 2"),
        ({"status": "succeeded", "error": None, "result": {}}, "not the same as there: it succeeded"),
        ({"status": "running", "error": None}, "nothing to compare: there the job is running"),
        ({"status": "cancelled", "error": None}, "nothing to compare: there the job is cancelled"),
        ({"payload": json.loads(GOOD)}, "not the same as there: malformed_csv: line 2"),
        (
            {"payload": json.loads(GOOD), "status": "succeeded", "error": None, "result": {"rows": 9}},
            "not the same as there: it succeeded, with another result",
        ),
        ({"payload": {"csv": 7}}, "not the same as there: malformed_csv: line 2"),
    ],
)
def test_every_outcome_is_compared_with_the_one_there(there: dict[str, object], verdict: str) -> None:
    assert replayed(JOB | there)[2].splitlines()[-1] == verdict


def test_the_same_result_is_the_same_whatever_the_order_of_its_members() -> None:
    result = json.loads(told("run", "csv.profile", "--payload", GOOD)[1])
    there = {"payload": json.loads(GOOD), "status": "succeeded", "error": None}
    turned = dict(reversed(list(result.items())))
    code, stdout, stderr = replayed(JOB | there | {"result": turned}, "--json")
    assert code == 0
    assert json.loads(stdout)["same"] is True
    assert stderr.endswith("the same as there: it succeeded, with the same result\n")
    assert json.loads(replayed(JOB | there | {"result": result | {"rows": True}}, "--json")[1])["same"] is False


def test_which_attempt_is_replayed_can_be_said_and_a_job_without_one_has_its_first() -> None:
    lines = replayed(JOB, "--attempt", "5")[2].splitlines()
    assert lines[2:4] == ["it is run here as attempt 5; there it has had 2", "csv.profile  attempt 5 of 5"]
    assert replayed(JOB, "--attempt", "1")[2].splitlines()[2] == "csv.profile  attempt 1 of 5"
    assert "attempt 1 of 5" in replayed(JOB | {"attempt": 0, "status": "queued", "error": None})[2].splitlines()[1]


def test_an_attempt_that_the_job_cannot_have_is_not_replayed() -> None:
    code, stdout, stderr = replayed(JOB, "--attempt", "7")
    assert (code, stdout) == (5, "")
    assert stderr.splitlines()[-1] == "headrace: 7 is no attempt of this job: it has at most 5"


def test_the_deployment_and_the_token_may_come_from_the_environment() -> None:
    with deployment(JOB) as (url, asked):
        done = CliRunner().invoke(main, ["replay", "0f3c"], env={"HEADRACE_URL": url, "HEADRACE_TOKEN": "x"})
    assert done.exit_code == 7
    assert len(asked) == 1


def test_a_job_that_cannot_be_had_or_run_here_is_told() -> None:
    with deployment({"code": "job_not_found", "detail": "no such job"}, 404) as (url, _):
        assert told("replay", "x", "--url", url, "--token", "x")[0] == 3
    assert replayed(JOB | {"type": "shop.orders"})[0] == 3
    without = {name: value for name, value in JOB.items() if name != "payload"}
    code, _, stderr = replayed(without)
    assert code == 1
    assert "without a valid payload" in stderr


def test_a_replay_needs_no_stack_in_its_folder_but_says_so_without_a_url(tmp_path: Path) -> None:
    with chdir(tmp_path):
        code, _, stderr = told("replay", "x")
    assert code == 1
    assert "headrace dev" in stderr
