"""Pictures of every screen with no job, some, and ten thousand, in both themes and two widths, to be looked at.

`python -m tests.page.looks FOLDER [none some crowd]` writes them, and prints where something is wider than the window,
has no room, or moved while it was read.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from headrace.emulator.state import Folder
from tests.page.conftest import LONG_NAME, ZONE, Mill, ended, fill, started, visit
from tests.page.crowd import put
from tests.page.test_screens import DIALOGS, hidden, overflow

THEMES = ("light", "dark")
WIDTHS = (1440, 390)
CROWD = 10_000
MEMBER = "miller@example.com"
LOOKS_MS = 700
MOST_MOVED = 0.1
"""Cumulative layout shift; up to here it is good by the Web Vitals."""

SHIFTS = """() => {
  window.moved = 0;
  new PerformanceObserver(list => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) window.moved += each.value;
  }).observe({ type: 'layout-shift', buffered: false });
}"""


def main(arguments: list[str]) -> int:
    """Write the pictures; returns 1 if something does not fit or moves."""
    to = Path(arguments[0])
    path = shutil.which("chromium")
    assert path, "Chromium is missing; `make ui-tests` installs it"
    flaws: list[str] = []
    with sync_playwright() as playwright, mill() as found:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name in arguments[1:] or ("none", "some", "crowd"):
            prepare(found, name)
            for theme, width in product(THEMES, WIDTHS):
                flaws += looked_at(browser, found, to / name / f"{theme}-{width}", theme, width)
        browser.close()
    sys.stdout.write("\n".join([*flaws, "everything fits, and nothing moves" if not flaws else "", ""]))
    return 1 if flaws else 0


@contextmanager
def mill() -> Iterator[Mill]:
    with tempfile.TemporaryDirectory() as folder:
        found, stack = started(Path(folder), filled=False)
        try:
            yield found
        finally:
            ended(stack)


def prepare(mill: Mill, name: str) -> None:
    if name == "some":
        fill(mill)
    if name == "crowd":
        me = mill.client.get("/v1/users/me").json()["id"]
        with ThreadPoolExecutor(1) as thread:  # This one has Playwright's loop.
            thread.submit(asyncio.run, put(Folder(mill.folder / ".headrace"), me, CROWD)).result()


def looked_at(browser: Browser, mill: Mill, to: Path, theme: str, width: int) -> list[str]:
    """Write a picture of each screen; returns what is wrong."""
    to.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(
        viewport=ViewportSize(width=width, height=900),
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id=ZONE,
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(mill.link())
    page.wait_for_selector(".shell")
    page.evaluate(SHIFTS)
    found = [flaw for name, route in screens(mill).items() for flaw in looked_at_one(page, to / f"{name}.png", route)]
    for route, button in DIALOGS.items():
        look_at_dialog(page, to / f"dialog-{button.lower().replace(' ', '-').strip('…')}.png", route, button)
    if mill.client.get("/v1/jobs").json()["items"]:  # Then there are members, too.
        page.goto("about:blank")
        page.goto(mill.link(MEMBER))
        page.wait_for_selector(".shell")
        page.evaluate(SHIFTS)
        found += looked_at_one(page, to / "member.png", "#/")
    context.close()
    return found


def look_at_dialog(page: Page, picture: Path, route: str, button: str) -> None:
    visit(page, route)
    opens = page.get_by_role("button", name=button)
    if opens.count():  # Without a job there is nothing to cancel.
        opens.click()
        page.wait_for_timeout(LOOKS_MS)
        page.screenshot(path=picture)
        page.keyboard.press("Escape")


def looked_at_one(page: Page, picture: Path, route: str) -> list[str]:
    page.evaluate("() => { window.moved = 0 }")
    visit(page, route)
    page.wait_for_timeout(LOOKS_MS)
    moved = float(page.evaluate("() => window.moved"))
    page.screenshot(path=picture, full_page=True)
    where = f"{picture.parent.parent.name}/{picture.parent.name}/{picture.stem}"
    wide, narrow = overflow(page), hidden(page)
    return [
        *([f"{where}: {wide} px too wide"] if wide else []),
        *([f"{where}: no room for {narrow}"] if narrow else []),
        *([f"{where}: moved by {moved:.2f}"] if moved > MOST_MOVED else []),
    ]


def screens(mill: Mill) -> dict[str, str]:
    """Each screen, and a job of each type and status."""
    jobs = mill.client.get("/v1/jobs", params={"limit": 100}).json()["items"]
    large = mill.client.get("/v1/jobs", params={"tag": "size=large"}).json()["items"]
    hooks = mill.client.get("/v1/webhooks").json()["items"]
    return {
        "overview": "#/", "overview-30d": "#/?window=30d", "jobs": "#/jobs", "jobs-all": "#/jobs?owner=*",
        "jobs-failed": f"#/jobs?owner=*&status=failed&type={LONG_NAME}", "types": "#/types",
        "jobs-filtered": f"#/jobs?status=failed,succeeded&type=mill.grind,{LONG_NAME}&attempts=1&payloads=1",
        "type": "#/types/mill.grind", "type-long": f"#/types/{LONG_NAME}", "schedules": "#/schedules",
        "lanes": "#/lanes", "webhooks": "#/webhooks", "users": "#/users",
        **{f"job-large-{at}": f"#/jobs/{each['id']}" for at, each in enumerate(large)},
        **{f"webhook-{at}": f"#/webhooks/{each['id']}" for at, each in enumerate(hooks)},
        **{f"job-{job['type'][5:13]}-{job['status']}": f"#/jobs/{job['id']}" for job in jobs},
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
