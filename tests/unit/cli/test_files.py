"""`headrace files put`, where the store refuses what it is sent."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.cli.main import main
from headrace.cli.target import ExitCode

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


class ApiAndStore(BaseHTTPRequestHandler):
    """Answers each `POST /v1/files` with an upload link, and refuses each upload as S3 does after the link's time."""

    def do_POST(self) -> None:
        self._read()
        address = f"http://{self.headers['host']}/upload"
        link = {"method": "PUT", "url": address, "headers": {"content-length": "4"}}
        self._answer(201, "application/json", json.dumps({"id": "f", "upload": link}).encode())

    def do_PUT(self) -> None:
        self._read()
        self._answer(403, "application/xml", EXPIRED)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def _read(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), ApiAndStore) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_upload_whose_link_has_expired_ends_with_the_words_of_the_store(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    put = CliRunner().invoke(main, ["files", "put", str(tmp_path / "a.csv"), "--url", url, "--token", "a.b.c"])
    assert put.exit_code == ExitCode.NOT_ALLOWED
    assert "AccessDenied: Request has expired" in put.stderr
    assert put.stdout == "", "no id, which a payload could name"
