"""How heavy the page is, how soon it is there, and that it asks for nothing while nobody looks."""

from collections.abc import Callable

from playwright.sync_api import Page

from functions.api.ui.serving import BUILT
from tests.page.conftest import Mill, visit

MOST_BYTES = 120_000
FIRST_PAINT_MS = 300


def test_the_page_is_small() -> None:
    for suffix in ("br", "gz"):
        size = sum(path.stat().st_size for path in BUILT.rglob(f"*.{suffix}"))
        print(f"{suffix}: {size} bytes")
        assert 10_000 < size < MOST_BYTES


def test_the_first_paint_is_soon(opened: Callable[..., Page], mill: Mill) -> None:
    """The best of a few: other checks run on the same machine."""
    page = opened()
    paints: list[float] = []
    while len(paints) < 5 or (min(paints) >= FIRST_PAINT_MS and len(paints) < 30):
        page.reload()
        page.wait_for_selector(".shell")
        entries = "() => performance.getEntriesByName('first-contentful-paint').map(each => each.startTime)"
        page.wait_for_function(f"() => ({entries})().length")
        paints += page.evaluate(entries)
    print(f"first contentful paint: {sorted(paints)}")
    assert min(paints) < FIRST_PAINT_MS


def test_nothing_is_fetched_from_elsewhere(opened: Callable[..., Page], mill: Mill) -> None:
    page = opened()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector(".tiles")
    page.wait_for_timeout(500)
    assert asked
    assert [url for url in asked if not url.startswith((mill.url, "data:"))] == []


SEEN = """seen => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => !seen });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
LONGEST_PAUSE_MS = 15_000
"""Between two questions about what does not change."""


def test_a_tab_that_nobody_sees_asks_for_nothing(opened: Callable[..., Page], mill: Mill) -> None:
    page = opened()
    visit(page, "#/jobs?status=scheduled")
    with page.expect_request("**/v1/jobs?*"):
        pass  # It asks while it is seen,
    page.evaluate(SEEN, False)
    page.wait_for_timeout(1000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(LONGEST_PAUSE_MS + 1000)
    assert asked == []
    with page.expect_request("**/v1/jobs?*"):
        page.evaluate(SEEN, True)


def test_a_page_of_this_machine_loads_itself_again_when_it_was_built_anew(opened: Callable[..., Page]) -> None:
    page = opened()
    builds = iter(("one", "one", ""))
    page.route("**/ui/build", lambda route: route.fulfill(body=next(builds, "other")))
    page.reload()
    page.evaluate("() => { window.before = true }")
    page.wait_for_function("() => !window.before && document.querySelector('.shell')")
