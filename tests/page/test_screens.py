"""Every screen, in both themes and two widths: accessible, and nothing overflows."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from pydantic import JsonValue

from tests.page.conftest import AXE, LONG_NAME, Mill, visit

SCREENS = (
    "#/", "#/jobs", "#/jobs?owner=*", "#/jobs?status=cancelled",
    "#/jobs?status=failed,succeeded&type=mill.grind,mill.complain&attempts=1&payloads=1&reverse=1",
    "#/types", f"#/types/{LONG_NAME}",
    "#/types/mill.grind", "#/schedules", "#/lanes", "#/webhooks", "#/users", "#/nowhere",
)  # fmt: skip
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def flaws(page: Page) -> list[JsonValue]:
    """What axe finds: each rule, with the elements that break it."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"() => {{ {AXE.read_text()} }}")
    found = page.evaluate("tags => axe.run(document, { runOnly: tags, resultTypes: ['violations'] })", RULES)
    return [{each["id"]: [node["html"][:300] for node in each["nodes"]]} for each in found["violations"]]


RESIZE_LOOKS = 20


def overflow(page: Page) -> int:
    """Pixels that the page is wider than the window, once what is drawn has followed the window's size."""
    wide = "() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth)"
    for _ in range(RESIZE_LOOKS):
        found = int(page.evaluate(wide))
        if found == 0:
            break
        page.wait_for_timeout(100)
    return found


def hidden(page: Page) -> list[str]:
    """Links of lists that have no room for their text."""
    narrow = "each => each.offsetParent && each.clientWidth < Math.min(each.scrollWidth, 90)"
    return list(
        page.evaluate(f"() => [...document.querySelectorAll('[data-line]')].filter({narrow}).map(each => each.href)")
    )


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_every_screen_is_accessible_and_fits(opened: Callable[..., Page], theme: str, width: int, mill: Mill) -> None:
    page = opened(theme=theme, width=width)
    found: dict[str, object] = {}
    for route in (*SCREENS, *_jobs(mill), *_webhooks(mill)):
        visit(page, route)
        wide = overflow(page)
        page.set_viewport_size({"width": 768 if width > 768 else 1440, "height": 900})
        wrong = (wide, overflow(page), hidden(page), flaws(page))
        page.set_viewport_size({"width": width, "height": 900})
        if any(wrong):
            found[route] = wrong
    assert found == {}


def _jobs(mill: Mill) -> list[str]:
    """A job of each type and status."""
    jobs = mill.client.get("/v1/jobs", params={"limit": 100}).json()["items"]
    return list({(job["type"], job["status"]): f"#/jobs/{job['id']}" for job in jobs}.values())


def _webhooks(mill: Mill) -> list[str]:
    return [f"#/webhooks/{each['id']}" for each in mill.client.get("/v1/webhooks").json()["items"]]


DIALOGS = {
    "#/schedules": "New schedule",
    "#/webhooks": "New webhook",
    "#/users": "New user",
    "#/jobs?type=mill.grind": "Cancel all…",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_dialog_is_accessible(opened: Callable[..., Page], theme: str) -> None:
    page = opened(theme=theme, width=390)
    for route, button in DIALOGS.items():
        visit(page, route)
        page.get_by_role("button", name=button).click()
        page.wait_for_function("() => document.querySelector('dialog[open]') && !document.querySelector('.bone')")
        assert flaws(page) == []
        page.keyboard.press("Escape")
        page.wait_for_function("() => !document.querySelector('dialog[open]')")


def test_the_keyboard_reaches_everything(opened: Callable[..., Page]) -> None:
    page = opened()
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_selector("h1:has-text('Jobs')")
    page.wait_for_selector("a[data-line]")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("x")
    page.wait_for_selector("tbody tr:first-child.selected")
    page.keyboard.press("x")
    page.wait_for_selector("tr.selected", state="detached")
    page.keyboard.press("Enter")
    page.wait_for_selector("h2:has-text('Timeline')")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_selector("[data-filter]")
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.hasAttribute('data-filter')")
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement !== document.body")
