"""The command line with invalid input: a sentence and an exit code of the table, never a traceback."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from headrace.cli.main import main
from headrace.emulator.state import Folder
from headrace.emulator.tokens import local_authority
from headrace_client.messages import MAX_RESPONSE_BYTES
from tests.serving import serving

GOOD = '{"csv": "a\\n1\\n"}'
SUBMIT = ("submit", "csv.profile", "--url", "http://127.0.0.1:1", "--payload")
NOBODY = ("--url", "http://127.0.0.1:1")
HOSTILE = "\udce9"
"""A byte that is not UTF-8, as Python passes it in arguments."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with chdir(tmp_path):
        yield tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    """Run a command; return its exit code, stdout and stderr."""
    done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.stderr
    assert "a bug in Headrace" not in done.stderr
    assert done.exit_code == 0 or done.stderr.strip() or "FAIL" in done.stdout
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    "payload",
    [
        "", "{", "NaN", "[Infinity]", '{"csv": -Infinity}', "[1e400]", '"\\ud800"', '{"\\udc00": 1}', "[" * 100_000,
        "[" * 500 + "]" * 500, "9" * 100_000, "'a'", '{"a": 1,}', "01", "1 2", '"\x01"',
    ],
)  # fmt: skip
def test_a_payload_that_is_not_json_is_invalid(folder: Path, payload: str) -> None:
    assert run(*SUBMIT, payload)[0] == 5


@pytest.mark.parametrize(
    "content", [b"\xe9", b"\x00\xff\xfe", b"", b'"\xed\xa0\x80"', b"\x1f\x8b\x08", b"x" * 7_000_000]
)
def test_a_file_that_is_not_json_in_utf_8_is_invalid(folder: Path, content: bytes) -> None:
    Path("payload").write_bytes(content)
    assert run("submit", "csv.profile", "--file", "payload", *NOBODY)[0] == 5
    assert run("invoke", "api", "--event", "payload", *("--endpoint-url", "http://127.0.0.1:1"))[0] == 5


@pytest.mark.parametrize("name", [".", "missing", "a/b/c"])
def test_a_file_that_cannot_be_opened_is_a_usage_error(folder: Path, name: str) -> None:
    assert run("submit", "csv.profile", "--file", name, *NOBODY)[0] == 2
    assert run("invoke", "api", "--event", name)[0] == 2


@pytest.mark.parametrize("event", ["[]", "1", "null", '"x"', "true"])
def test_an_event_that_is_not_an_object_is_invalid(folder: Path, event: str) -> None:
    Path("event").write_text(event)
    assert run("invoke", "api", "--event", "event", *("--endpoint-url", "http://127.0.0.1:1"))[0] == 5


def test_an_unknown_function_is_not_found(folder: Path) -> None:
    Path("event").write_text("{}")
    code, _, stderr = run("invoke", "nope", "--event", "event", "--endpoint-url", "http://127.0.0.1:1")
    assert code == 3
    assert "api, recorder, runner, sweeper, worker" in stderr


@pytest.mark.parametrize("key", ["", " ", "é", "a\nb", "\x7f", "k" * 256, " a", "a "])
def test_a_key_is_checked_by_the_apis_rule(folder: Path, key: str) -> None:
    assert run(*SUBMIT, GOOD, "--key", key)[0] == 5


@pytest.mark.parametrize("token", ["", "é", "a\nb", "a b", "\x00", "a\r\nx: y"])
def test_an_invalid_token_is_not_allowed(folder: Path, token: str) -> None:
    assert run("list", "--token", token, *NOBODY)[0] == 6


@pytest.mark.parametrize("number", ["nan", "NaN", "inf", "-inf", "Infinity", "1e400", "-1", "-1e-9", "x", "", "1,5"])
def test_times_are_finite_and_not_negative(folder: Path, number: str) -> None:
    for arguments in (
        (*SUBMIT, GOOD, f"--delay={number}"), (*SUBMIT, GOOD, "--wait", f"--timeout={number}"),
        ("watch", "x", *NOBODY, f"--timeout={number}"), ("token", "ada@example.com", f"--hours={number}"),
    ):  # fmt: skip
        assert run(*arguments)[0] == 2, arguments


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost", "127.0.0.1:8080", "ftp://x", "file:///etc/passwd", "http://", "http:///x", "http://a b",
        "http://a\nb", "http://a:99999", "http://a:x", "http://a:0", "http://[::1", "http://u:p@a", "http://a?x",
        "http://a#x", "http://é.test", "http://a..b", "http://.a", "http://" + "a" * 64 + ".test", "http://a\\b",
        "http://" + "a." * 130 + "test", "HTTP:a", "//a", "http:/a", "http://%20",
    ],
)  # fmt: skip
def test_a_url_is_checked_before_it_is_used(folder: Path, url: str) -> None:
    assert run("list", "--url", url)[0] == 2
    assert run("users", "create", "ada@example.com", "--endpoint-url", url)[0] == 2
    assert run("dev", "--endpoint-url", url)[0] == 2
    Path("event").write_text("{}")
    assert run("invoke", "api", "--event", "event", "--endpoint-url", url)[0] == 2


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "http://127.0.0.1:1/", "http://[::1]:1/stage", "HTTP://localhost:1", "http://xn--a.test"],
)
def test_a_url_that_does_not_respond_is_reported(folder: Path, url: str) -> None:
    code, _, stderr = run("list", "--url", url, "--token", "x")
    assert code == 1
    assert "nothing responds" in stderr


@pytest.mark.parametrize("email", ["", " ", "not an email", "é@example.com", "a@b", "a@b.c\nd", "a" * 300 + "@b.co"])
def test_one_rule_applies_to_addresses_wherever_they_are_given(folder: Path, email: str) -> None:
    assert run("token", email)[0] == 5
    assert run("list", "--as", email, *NOBODY)[0] == 5
    assert run("users", "create", email, "--endpoint-url", "http://127.0.0.1:1")[0] == 5


@pytest.mark.parametrize("name", ["", "n" * 201])
def test_a_name_is_checked_by_the_apis_rule(folder: Path, name: str) -> None:
    assert run("users", "create", "a@b.co", "--name", name, "--endpoint-url", "http://127.0.0.1:1")[0] == 5


@pytest.mark.parametrize("name", ["", "a", "not a table", "é", "x/y", "n" * 256, "a\nbc"])
def test_a_table_name_is_one(folder: Path, name: str) -> None:
    assert run("users", "create", "a@b.co", "--users-table", name)[0] == 2
    assert run("users", "create", "a@b.co", "--emails-table", name)[0] == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "x"), ("--port", "-1"), ("--port", "65536"), ("--host", ""), ("--host", "a b"), ("--host", "é"),
        ("--host", "[::1]"),
        ("--database", "x"), ("--database", "x:"), ("--database", ":1"), ("--database", "x:0"),
        ("--database", "x:65536"), ("--database", "x:-1"), ("--database", "a b:1"), ("--database", "x:\u0661"),
        ("--database", "x:1", "--endpoint-url", "http://127.0.0.1:1"),
    ],
)  # fmt: skip
def test_the_address_to_listen_on_is_checked(folder: Path, options: tuple[str, ...]) -> None:
    assert run("dev", *options)[0] == 2


@pytest.mark.parametrize("host", ["nope.invalid", "192.0.2.1", "a" * 70 + ".test", "127.0.0.1:80", "::g"])
def test_a_host_that_is_not_local_is_refused_in_one_sentence(folder: Path, host: str) -> None:
    code, _, stderr = run("dev", "--port", "0", "--host", host)
    assert code == 1
    assert stderr.startswith("headrace: Cannot listen on")


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", HOSTILE), ("cancel", HOSTILE), ("retry", HOSTILE), ("watch", HOSTILE), ("list", "--type", HOSTILE),
        ("submit", HOSTILE, "--payload", "{}"), (*SUBMIT, HOSTILE), (*SUBMIT, "{}", "--key", HOSTILE),
        ("list", "--token", HOSTILE), ("list", "--as", HOSTILE), ("list", "--url", HOSTILE), ("token", HOSTILE),
        ("users", "create", HOSTILE), ("users", "create", "a@b.co", "--name", HOSTILE), ("dev", "--host", HOSTILE),
        ("invoke", HOSTILE, "--event", "-"), (HOSTILE,), ("list", HOSTILE),
    ],
)  # fmt: skip
def test_an_argument_that_is_not_utf_8_is_a_usage_error(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff", b"null", b"[]", b"{}", b'{"url":1,"endpoint_url":2,"pid":3}', b"[" * 10_000,
        *(
            b'{"url":"http://127.0.0.1:1","endpoint_url":"http://127.0.0.1:1","pid":%s}' % pid
            for pid in (b"0", b"-1", b"99999999999999999999", b"4194304000", b'"x"', b"1.5", b"2147483647")
        ),
    ],
)  # fmt: skip
def test_a_state_file_that_is_unreadable_or_of_a_dead_stack_counts_as_missing(folder: Path, content: bytes) -> None:
    Path(".headrace").mkdir()
    Path(".headrace/stack.json").write_bytes(content)
    for arguments in (("list",), ("get", "x"), ("users", "create", "a@b.co")):
        code, _, stderr = run(*arguments)
        assert code == 1
        assert "no stack runs in this folder" in stderr


def test_a_state_file_without_an_address_is_reported(folder: Path) -> None:
    Path(".headrace").mkdir()
    for url in ("x", "http://[", "http://a b", "\\u0000", "http://é..b"):
        noted = {"url": url, "endpoint_url": url, "pid": os.getpid()}
        Path(".headrace/stack.json").write_text(json.dumps(noted))
        assert run("list")[0] == 1
        assert run("doctor")[0] == 1


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\xff\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_an_invalid_key_file_is_reported_with_its_path(folder: Path, content: bytes) -> None:
    Path(".headrace").mkdir()
    Path(".headrace/token-key.pem").write_bytes(content)
    for arguments in (("token", "a@b.co"), ("list", *NOBODY)):
        code, _, stderr = run(*arguments)
        assert code == 1
        assert "token-key.pem is not what Headrace wrote; remove it" in stderr


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, b"0" * 65, b"g" * 64])
def test_an_invalid_cursor_key_is_reported_with_its_path(folder: Path, content: bytes) -> None:
    Path(".headrace").mkdir()
    Path(".headrace/cursor-key").write_bytes(content)
    code, _, stderr = run("users", "create", "a@b.co", "--endpoint-url", "http://127.0.0.1:1")
    assert code == 1
    assert "cursor-key is not what Headrace wrote; remove it" in stderr


def test_a_folder_or_file_of_the_wrong_kind_is_reported(folder: Path) -> None:
    Path(".headrace").write_text("")
    for arguments in (("token", "a@b.co"), ("list", *NOBODY), ("doctor",), ("dev", "--port", "0")):
        assert run(*arguments)[0] == 1
    Path(".headrace").unlink()
    Path(".headrace/token-key.pem").mkdir(parents=True)
    assert run("token", "a@b.co")[0] == 1


def test_no_token_is_signed_where_no_stack_has_run(folder: Path) -> None:
    for arguments in (("token", "a@b.co"), ("list", *NOBODY)):
        code, stdout, stderr = run(*arguments)
        assert (code, stdout) == (1, "")
        assert "no stack has run in this folder, so nothing would accept a token signed here" in stderr
    assert list(folder.iterdir()) == []


def test_a_stack_of_a_parent_folder_is_named(folder: Path) -> None:
    Path(".headrace").mkdir()
    noted = {"url": "http://127.0.0.1:1", "endpoint_url": "http://127.0.0.1:1", "pid": os.getpid()}
    Path(".headrace/stack.json").write_text(json.dumps(noted))
    Path("below").mkdir()
    with chdir("below"):
        assert f"but one runs in {folder}" in run("list")[2]


def test_a_private_file_is_complete_and_readable_only_by_its_owner(folder: Path) -> None:
    local_authority(Folder(folder / ".headrace"))
    assert run("token", "a@b.co")[0] == 0
    assert "expires_in" in json.loads(run("token", "a@b.co", "--json")[1])
    assert [path.name for path in Path(".headrace").iterdir() if path.is_file()] == ["token-key.pem"]
    assert stat.S_IMODE(Path(".headrace/token-key.pem").stat().st_mode) == 0o600


JOB = {"id": "j", "type": "t", "status": "succeeded", "attempt": 1, "max_attempts": 5}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""), (200, b"<html>"), (200, b"[]"), (200, b"null"), (200, b"{}"), (204, b""), (200, b"\xff"),
        (200, b'{"id": 1}'), (200, b"[" * 100_000), (200, b'{"items": 7}'), (301, b""), (307, b"{}"), (404, b"<html>"),
        (404, b"{}"), (500, b""), (503, b"[]"), (200, json.dumps(JOB | {"status": []}).encode()),
        (200, json.dumps(JOB | {"attempt": "many"}).encode()), (200, json.dumps(JOB | {"error": "x"}).encode()),
        (200, json.dumps(JOB | {"progress": {"fraction": "x"}}).encode()), (200, b" " * (MAX_RESPONSE_BYTES + 1)),
    ],
)  # fmt: skip
def test_a_server_that_is_not_headrace_is_reported(folder: Path, status: int, body: bytes) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"location": "http://127.0.0.1:1/"})

    with serving(answer) as url:
        for arguments in (("get", "x", "--json"), ("watch", "x"), ("submit", "t", "--payload", "{}", "--wait")):
            code, stdout, stderr = run(*arguments, "--url", url, "--token", "x")
            assert (code, stdout) == (1, ""), arguments
            assert "does not respond like Headrace" in stderr


@pytest.mark.parametrize("page", [{}, {"items": [{}]}, {"items": [{"id": 1}]}])
def test_a_page_of_another_form_is_reported(folder: Path, page: dict[str, object]) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(page)

    with serving(answer) as url:
        assert run("list", "--url", url, "--token", "x")[:2] == (1, "")
        assert run("list", "--url", url, "--token", "x", "--json")[:2] == (1, "")


def test_a_response_that_is_not_http_is_reported(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 mail.test ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert run("list", "--token", "x", "--url", f"http://127.0.0.1:{server.getsockname()[1]}")[0] == 1
        thread.join()


def test_a_payload_is_sent_as_it_was_written(folder: Path) -> None:
    seen: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.json_response(JOB)

    written = '{"n": 1.10, "big": 12345678901234567890123, "é": "\\u00e9", "a": 1, "a": 2}'
    Path("payload").write_bytes(b"\xef\xbb\xbf" + written.encode())
    with serving(answer) as url:
        for source in (("--payload", written), ("--file", "payload")):
            assert run("submit", "t", *source, "--delay", "1.5", "--url", url, "--token", "x")[0] == 0
    assert seen == [b'{"type": "t", "delay_seconds": 1.5, "payload": ' + written.encode() + b"}"] * 2


@pytest.mark.parametrize(
    "sources", [("source=big.csv",), ("big.csv",), ("payload", "source=big.csv")], ids=["member", "alone", "both"]
)
def test_a_file_is_uploaded_and_named_in_the_payload(folder: Path, sources: tuple[str, ...]) -> None:
    calls: list[tuple[str, str, bytes]] = []
    file_id = "0b9f5f6e-4c1d-4e54-9b57-6d2f6f0c7a11"
    schema = {
        "properties": {"source": {"anyOf": [{"$ref": "#/$defs/File"}, {"type": "null"}]}, "n": {"type": "integer"}}
    }

    async def answer(request: web.Request) -> web.Response:
        calls.append((request.method, request.path, await request.read()))
        if request.path == "/v1/files":
            link = {
                "method": "PUT",
                "url": f"{url}/bucket",
                "headers": {"content-length": "8", "content-type": "text/csv"},
            }
            return web.json_response({"id": file_id, "upload": link}, status=201)
        return web.json_response({"payload_schema": schema} if "job-types" in request.path else JOB)

    Path("big.csv").write_bytes(b"a,b\n1,2\n")
    Path("payload").write_text('{"n": 1}')
    with serving(answer) as url:
        options = [part for source in sources for part in ("--file", source)]
        assert run("submit", "t", *options, "--url", url, "--token", "x")[0] == 0
    made = {path: (method, body) for method, path, body in calls}
    assert json.loads(made["/v1/files"][1]) == {"name": "big.csv", "content_type": "text/csv", "size": 8}
    assert made["/bucket"] == ("PUT", b"a,b\n1,2\n")
    submitted = json.loads(made["/v1/jobs"][1])["payload"]
    assert submitted == {"source": {"id": file_id}, **({"n": 1} if "payload" in sources else {})}


def test_an_upload_that_is_refused_ends_the_command_with_the_stores_own_words(folder: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/v1/files":
            link = {"method": "PUT", "url": f"{url}/bucket?signature=secret", "headers": {}}
            return web.json_response({"id": "x", "upload": link}, status=201)
        return web.Response(
            status=403, text="<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        )

    Path("big.csv").write_bytes(b"a,b\n")
    with serving(answer) as url:
        code, _, stderr = run("files", "put", "big.csv", "--url", url, "--token", "x")
    assert (code, stderr) == (6, "headrace: AccessDenied: Request has expired\n")


def test_any_text_of_a_job_can_be_shown(folder: Path) -> None:
    result = {"text": "é\u2028\x1b[31m\U0001f600", "number": 10**4000}

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(JOB | {"result": result})

    with serving(answer) as url:
        _, stdout, _ = run("get", "x", "--url", url, "--token", "x", "--json")
        assert json.loads(stdout)["result"] == result
        assert run("get", "x", "--url", url, "--token", "x")[0] == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--tag", "x"), ("--tag", "=x"), ("--tag", "a=1", "--tag", "a=2"), ("--max-attempts", "0"),
        ("--max-attempts", "101"), ("--delay", "1", "--run-at", "2026-12-01T09:30:00Z"),
    ],
)  # fmt: skip
def test_options_of_a_submission_are_checked(folder: Path, options: tuple[str, ...]) -> None:
    assert run(*SUBMIT, GOOD, *options)[0] == 2


@pytest.mark.parametrize(
    "options",
    [("--limit", "101"), ("--limit", "501"), ("--error-code", "x"), ("--retry", "--cursor", "x")],
)
def test_options_of_failed_are_checked(folder: Path, options: tuple[str, ...]) -> None:
    assert run("failed", "t", *options, *NOBODY)[0] == 2


def test_a_submission_is_sent_with_all_its_options(folder: Path) -> None:
    seen: list[dict[str, object]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response(JOB)

    options = ("--run-at", "2026-12-01T09:30:00+01:00", "--max-attempts", "3", "--tag", "a=1", "--tag", "b=x=y")
    with serving(answer) as url:
        assert run("submit", "t", "--payload", "{}", *options, "--url", url, "--token", "x")[0] == 0
    assert seen == [
        {
            "type": "t", "run_at": "2026-12-01T09:30:00+01:00", "max_attempts": 3,
            "tags": {"a": "1", "b": "x=y"}, "payload": {},
        }
    ]  # fmt: skip


def test_a_list_has_age_attempts_and_error_and_keeps_the_cursor_off_stdout(folder: Path) -> None:
    failed = JOB | {
        "status": "failed", "attempt": 5, "created_at": "2020-01-01T00:00:00.000000Z",
        "error": {"code": "handler_error", "message": "KeyError:\n'x'"},
    }  # fmt: skip

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"items": [JOB, failed], "next": "further"})

    with serving(answer) as url:
        for command in (("list",), ("failed", "t")):
            code, stdout, stderr = run(*command, "--url", url, "--token", "x")
            assert (code, stderr) == (0, "more jobs: add --cursor further\n")
            first, second, error = stdout.splitlines()
            assert first.split() == ["j", "succeeded", "-", "1/5", "t"]
            assert re.fullmatch(r"j +failed +\d+d +5/5 +t", second)
            assert error == "    error  handler_error: KeyError: 'x'"
        assert json.loads(run("list", "--json", "--url", url, "--token", "x")[1])["next"] == "further"


def test_a_list_of_all_users_jobs_names_their_owners(folder: Path) -> None:
    queries: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        queries.append(dict(request.query))
        return web.json_response({"items": [JOB | {"owner_id": "u1"}], "next": None})

    with serving(answer) as url:
        code, stdout, _ = run("list", "--all", "--status", "queued", "--url", url, "--token", "x")
    assert code == 0
    assert queries == [{"status": "queued", "owner": "*", "limit": "20"}]
    assert stdout.splitlines()[1] == "    owner  u1"


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (("--owner", "u1"), "give either --owner or --all"),
        (("--status", "failed"), "listed by --type"),
        (("--status", "succeeded"), "give --owner instead"),
        (("--status", "cancelled", "--type", "t"), "give --owner instead"),
    ],
)
def test_a_list_of_all_users_says_what_it_cannot_have(folder: Path, options: tuple[str, ...], advice: str) -> None:
    code, _, stderr = run("list", "--all", *options, *NOBODY)
    assert code == 2
    assert advice in stderr


def test_a_job_is_shown_with_the_places_where_it_failed(folder: Path) -> None:
    frames = [{"file": "my_jobs/a.py", "line": 7, "function": "run"}]
    failed = JOB | {"status": "failed", "error": {"code": "c", "message": "m", "frames": frames}}

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(failed)

    with serving(answer) as url:
        stdout = run("get", "j", "--url", url, "--token", "x")[1]
    assert stdout.splitlines()[2:] == ['  File "my_jobs/a.py", line 7, in run', "error   c: m"]


def test_a_refused_token_is_explained_by_the_challenge(folder: Path) -> None:
    async def answer(_request: web.Request) -> web.Response:
        challenge = 'Bearer scope="" error="invalid_token" error_description="the token has expired"'
        return web.json_response({"message": "Unauthorized"}, status=401, headers={"www-authenticate": challenge})

    with serving(answer) as url:
        code, _, stderr = run("list", "--url", url, "--token", "x")
    assert (code, stderr) == (6, "headrace: 401: Unauthorized: the token has expired\n")


def test_a_command_that_calls_no_api_does_not_wait_for_the_import_of_its_client() -> None:
    code = "import sys, headrace.cli.main; sys.exit(str({'httpx', 'headrace_client', 'rich'} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(folder: Path, shell: str) -> None:
    code, stdout, _ = run("completion", shell)
    assert code == 0
    assert "_HEADRACE_COMPLETE" in stdout


def test_findings_of_doctor_can_be_read_by_programs(folder: Path) -> None:
    code, stdout, _ = run("doctor", "--json")
    assert {finding["ok"] for finding in json.loads(stdout)} == ({True} if code == 0 else {True, False})


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_that_does_not_exist_is_ignored_locally(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, "no-such-profile")
    code, _, stderr = run("users", "create", "a@b.co", "--endpoint-url", "http://127.0.0.1:1")
    assert code == 1
    assert "the database at http://127.0.0.1:1 failed" in stderr


def test_a_profile_that_does_not_exist_is_one_sentence_for_aws(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    code, _, stderr = run("users", "create", "a@b.co", "--endpoint-url", "https://dynamodb.eu-north-1.amazonaws.com")
    assert code == 1
    assert "ProfileNotFound" in stderr
    assert len(stderr.splitlines()) == 1


def test_a_profile_is_refused_where_handlers_have_the_shells_credentials_anyway() -> None:
    code, _, stderr = run("dev", "--endpoint-url", "https://dynamodb.eu-west-1.amazonaws.com", "--aws-profile", "shop")
    assert code == 2
    assert "set AWS_PROFILE" in stderr
