"""The page in Debian's Chromium, on a local stack whose jobs succeed, fail, run, wait and block."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pydantic import JsonValue

from headrace.cli.guard import INTERRUPTED
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.page_links import page_link
from headrace.emulator.state import Folder
from tests.e2e.conftest import Stack

LONG_NAME = "mill.books_of_the_year_by_customer_and_grain_and_all_corrections"
ZONE = "Europe/Oslo"
PATIENCE_MS = 30_000
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"

expect.set_options(timeout=PATIENCE_MS)


class Mill:
    """The stack, with what the tests need of it besides the page."""

    def __init__(self, stack: Stack, client: httpx.Client, switch: Path) -> None:
        self.url = stack.url
        self.folder = stack.folder
        self.client = client
        self.switch = switch
        """As long as this file is not there, some orders fail."""

    def submit(self, type: str, payload: JsonValue, **more: JsonValue) -> str:
        """Submit a job and return its id."""
        answer = self.client.post("/v1/jobs", json={"type": type, "payload": payload, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def status(self, job_id: str, *wanted: str, seconds: float = 30) -> str:
        """Wait until the job has one of the statuses."""
        ends = time.monotonic() + seconds
        while True:
            status = str(self.client.get(f"/v1/jobs/{job_id}").json()["status"])
            if status in wanted or time.monotonic() > ends:
                assert status in wanted
                return status
            time.sleep(0.1)

    def link(self, email: str = "dev@example.com") -> str:
        """A link that signs in to the page, once; as `headrace ui` prints it."""
        return page_link(Folder(self.folder / ".headrace"), self.url, email, datetime.now(UTC))


@pytest.fixture(scope="session")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    mill, stack = started(tmp_path_factory.mktemp("mill"))
    yield mill
    ended(stack)


def started(folder: Path, *, filled: bool = True) -> tuple[Mill, Stack]:
    """A stack, by default with jobs in every state."""
    shutil.copytree(Path(__file__).parent / "mill", folder / "mill")
    stack = Stack(folder, "--no-reload", environment={"JOB_TYPES": "mill"})
    mill = Mill(stack, stack.client(), folder / "switch")
    if filled:
        fill(mill)
    return mill, stack


def ended(stack: Stack) -> None:
    """End the stack; the second signal does not wait for jobs that take long."""
    os.kill(stack.pid, signal.SIGTERM)
    time.sleep(0.5)
    assert stack.stop() == INTERRUPTED


def fill(mill: Mill) -> None:
    """Jobs in every state, of names, errors and payloads of every length."""
    failing: JsonValue = {"order_id": "F-1", "switch": str(mill.switch), "prices": {"oats": 2}}
    ids = [mill.submit("mill.grind", failing, tags={"customer": "Bodø"}) for _ in range(3)]
    complaint = mill.submit("mill.complain", {"text": ("The flour is lumpy, and the sack has a hole. " * 23)[:1000]})
    ids += [mill.submit("mill.grind", {"order_id": f"A-{number}"}) for number in range(10)]
    ids += [mill.submit("mill.grind", {"order_id": "x" * 64, "notes": "N" * 200_000}, tags={"size": "large"})]
    ids += [mill.submit(LONG_NAME, {"rows": 1500})]
    mill.submit("mill.weigh", {})
    mill.submit("mill.deliver", {"seconds": 75, "steps": 75})
    for _ in range(3):
        mill.submit("mill.stone", {"seconds": 70})
    mill.submit("mill.grind", {"order_id": "later"}, delay_seconds=3600)
    mill.submit("mill.order", {"order_id": "D-1"})
    nightly = {
        "name": "Nightly books",
        "cron": "0 3 * * *",
        "timezone": ZONE,
        "type": LONG_NAME,
        "payload": {"rows": 1},
    }
    mill.client.post("/v1/schedules", json=nightly).raise_for_status()
    shop = {"url": "https://shop.example.com/hooks/headrace", "description": "The shop", "types": ["of.no.job"]}
    mill.client.post("/v1/webhooks", json=shop).raise_for_status()
    for email in ("miller@example.com", f"{'l' * 64}@example.com"):
        mill.client.post("/v1/users", json={"email": email, "name": "The miller"}).raise_for_status()
    for job_id in (*ids, complaint):
        mill.status(job_id, "succeeded", "failed")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "Chromium is missing; `make ui-tests` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


NewContext = Callable[..., BrowserContext]


@pytest.fixture
def opened(chromium: Browser, mill: Mill) -> Iterator[Callable[..., Page]]:
    """Opens the page, signed in; errors on its console and of its policy fail the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(email: str = "dev@example.com", *, theme: str = "light", width: int = 1440) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if theme == "dark" else "light",
            locale="en-GB",
            timezone_id=ZONE,
            reduced_motion="reduce",
            base_url=mill.url,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(mill.link(email))
        page.wait_for_selector(".shell")
        return page

    yield open_page
    for context in contexts:
        context.close()
    refused = re.compile(r"status of (401|403|404|409|422|503)|ERR_INTERNET_DISCONNECTED|ERR_FAILED")
    assert [each for each in complaints if not refused.search(each)] == []


def visit(page: Page, route: str) -> None:
    """Go to a screen, and wait until it shows its data."""
    page.evaluate("route => { location.hash = route }", route)
    shown = "route => document.querySelector('main').dataset.route === route && document.querySelector('main h1')"
    page.wait_for_function(f"route => ({shown})(route) && !document.querySelector('.bone')", arg=route)
