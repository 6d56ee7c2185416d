"""Makes docs/images: a picture of each screen of the page, with the jobs of the tests. `make docs` runs it."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from headrace.emulator.cloudformation import ROOT
from tests.page.conftest import ZONE, Mill, ended, started, visit

IMAGES = ROOT / "docs" / "images"
SIZE = ViewportSize(width=1180, height=720)


def main() -> int:
    """Write the pictures; where there is no Chromium, those that are there stay."""
    path = shutil.which("chromium")
    if path is None:
        sys.stderr.write("chromium is not installed: the pictures of the page stay as they are\n")
        return 0
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        mill, stack = started(Path(folder))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            context = browser.new_context(viewport=SIZE, color_scheme=theme, timezone_id=ZONE, locale="en-GB")
            page = context.new_page()
            page.goto(mill.link())
            page.wait_for_selector(".shell")
            for name, route in screens(mill).items() if theme == "light" else (("job-dark", failed(mill)),):
                picture(page, name, route)
        ended(stack)
    return 0


def screens(mill: Mill) -> dict[str, str]:
    """The route of each screen, by the name of its picture."""
    names = ("jobs", "types", "schedules", "lanes", "webhooks", "users")
    return {"overview": "#/", "job": failed(mill), "type": "#/types/mill.grind"} | {name: f"#/{name}" for name in names}


def failed(mill: Mill) -> str:
    """The route of a job that failed by an exception."""
    query = {"status": "failed", "type": "mill.grind"}
    return f"#/jobs/{mill.client.get('/v1/jobs', params=query).json()['items'][0]['id']}"


def picture(page: Page, name: str, route: str) -> None:
    """Write one picture."""
    visit(page, route)
    page.mouse.move(0, 0)
    page.wait_for_timeout(700)
    page.screenshot(path=IMAGES / f"page-{name}.png")


if __name__ == "__main__":
    sys.exit(main())
