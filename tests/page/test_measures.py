"""How heavy the page is, and how soon it is there."""

from collections.abc import Callable

from playwright.sync_api import Page

from functions.api.ui.serving import BUILT
from tests.page.conftest import Mill

MOST_BYTES = 120_000
FIRST_PAINT_MS = 300


def test_the_page_is_small() -> None:
    for suffix in ("br", "gz"):
        size = sum(path.stat().st_size for path in BUILT.rglob(f"*.{suffix}"))
        print(f"{suffix}: {size} bytes")
        assert 10_000 < size < MOST_BYTES


def test_the_first_paint_is_soon(opened: Callable[..., Page], mill: Mill) -> None:
    page = opened()
    paints = []
    for _ in range(5):
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
