"""The application, against a running Headrace: `HEADRACE_URL` and `HEADRACE_TOKEN` say which."""

import time
import uuid

from app import app
from fastapi.testclient import TestClient


def test_a_report_is_ordered_once_and_read_when_it_is_done() -> None:
    with TestClient(app) as browser:
        table = {"name": uuid.uuid4().hex, "csv": "city,people\nBergen,291940\nBodo,53712\n"}
        ordered = browser.post("/reports", json=table)
        assert ordered.status_code == 202, ordered.text
        again = browser.post("/reports", json=table)
        assert again.json()["id"] == ordered.json()["id"]
        ends = time.monotonic() + 30
        while (report := browser.get(f"/reports/{ordered.json()['id']}").json())["status"] != "succeeded":
            assert time.monotonic() < ends, report
            time.sleep(0.1)
        assert report["result"]["rows"] == 2


def test_what_headrace_refuses_is_said() -> None:
    with TestClient(app) as browser:
        name = uuid.uuid4().hex
        assert browser.post("/reports", json={"name": name, "csv": "a\n1\n"}).status_code == 202
        refused = browser.post("/reports", json={"name": name, "csv": "b\n2\n"})
        assert (refused.status_code, "Idempotency-Key" in refused.text) == (422, True)
        assert browser.get("/reports/unheard-of").status_code == 404
