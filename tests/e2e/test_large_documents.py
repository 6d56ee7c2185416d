"""Large payloads and files on the running stack, by links that work from this machine."""

import json
from pathlib import Path

import httpx

from tests.e2e.conftest import Cli, Stack, submit, wait

ROWS = 20_000
CSV = "city,people\n" + "Bergen,291940\n" * ROWS


def test_a_large_payload_is_run_and_read_back(api: httpx.Client) -> None:
    job = submit(api, payload={"csv": CSV})
    assert job["payload"] is None
    done = wait(api, job["id"])
    assert done["status"] == "succeeded", done["error"]
    result = done["result"]
    assert isinstance(result, dict)
    assert (result["rows"], done["payload"]) == (ROWS, {"csv": CSV})
    answer = api.get(f"/v1/jobs/{job['id']}/payload", follow_redirects=True)
    assert answer.json() == {"csv": CSV}
    assert [each.status_code for each in answer.history] == [307]


def test_a_large_document_is_printed_by_the_command_line(stack_running: Stack, tmp_path: Path) -> None:
    path = tmp_path / "payload.json"
    path.write_text(json.dumps({"csv": CSV}))
    job_id = stack_running.cli.ok("submit", "csv.profile", "--file", str(path), "--wait").split()[0]
    assert json.loads(stack_running.cli.ok("get", job_id, "--only", "payload")) == {"csv": CSV}
    assert stack_running.cli.run("get", job_id, "--only", "nothing").returncode == 2
    waiting = stack_running.cli.ok("submit", "csv.profile", "--payload", '{"csv": "a\\n"}', "--delay", "600").split()[0]
    missing = stack_running.cli.run("get", waiting, "--only", "result")
    assert (missing.returncode, missing.stderr) == (3, "headrace: result_not_found: The job has no result.\n")
    replayed = stack_running.cli.run("replay", job_id)
    assert "the same as there" in replayed.stderr


def test_a_file_is_put_and_got(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "résumé.csv"
    path.write_bytes(b"a,b\n" * 500_000)
    file_id = cli.ok("files", "put", str(path))
    copy = tmp_path / "copy.csv"
    assert cli.ok("files", "get", file_id, "--output", str(copy)) == str(copy)
    received = json.loads(cli.ok("files", "get", file_id, "--output", str(copy), "--json"))
    assert (received["id"], received["path"]) == (file_id, str(copy))
    assert copy.read_bytes() == path.read_bytes()
    described = json.loads(cli.ok("files", "put", str(path), "--name", "other.txt", "--json"))
    assert (described["name"], described["content_type"], described["size"]) == ("other.txt", "text/csv", 2_000_000)
    cli.ok("files", "get", described["id"])
    assert (cli.folder / "other.txt").read_bytes() == path.read_bytes()
    again = cli.run("files", "get", described["id"])
    assert (again.returncode, again.stderr) == (4, "headrace: other.txt exists already; give --output\n")
    assert cli.run("files", "get", "0" * 36).returncode == 3
    assert cli.run("files", "put", str(tmp_path / "nothing")).returncode == 2
    assert not list(cli.folder.glob(".headrace-*"))


def test_a_file_that_was_not_uploaded_as_requested_is_refused(api: httpx.Client) -> None:
    file = api.post("/v1/files", json={"name": "a", "content_type": "text/csv", "size": 3}).json()
    assert api.get(f"/v1/files/{file['id']}").status_code == 409
    link = file["upload"]
    sent = httpx.put(link["url"], content=b"a,b,c", headers={**link["headers"], "content-length": "5"})
    assert sent.status_code == 403
    assert httpx.put(link["url"], content=b"a,b", headers=link["headers"]).status_code == 200
    got = api.get(f"/v1/files/{file['id']}", follow_redirects=True)
    assert (got.status_code, got.text) == (200, "a,b")
