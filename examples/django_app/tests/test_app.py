"""The application, against a running Headrace: `HEADRACE_URL` and `HEADRACE_TOKEN` say which."""

import time
import uuid

import app  # noqa: F401 - it configures Django
import django
from django.test import Client

django.setup()


def test_a_report_is_ordered_once_and_read_when_it_is_done() -> None:
    browser = Client()
    table = {"name": uuid.uuid4().hex, "csv": "city,people\nBergen,291940\nBodo,53712\n"}
    ordered = browser.post("/reports", table, content_type="application/json")
    assert ordered.status_code == 202, ordered.content
    again = browser.post("/reports", table, content_type="application/json")
    assert again.json()["id"] == ordered.json()["id"]
    ends = time.monotonic() + 30
    while (report := browser.get(f"/reports/{ordered.json()['id']}").json())["status"] != "succeeded":
        assert time.monotonic() < ends, report
        time.sleep(0.1)
    assert report["result"]["rows"] == 2


def test_what_headrace_refuses_is_said() -> None:
    browser = Client()
    table = {"name": uuid.uuid4().hex, "csv": 7}
    refused = browser.post("/reports", table, content_type="application/json")
    assert refused.status_code == 422
    assert browser.get("/reports/unheard-of").status_code == 404
