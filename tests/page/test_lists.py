"""Lists of jobs: live, filtered, in portions, and steady below the reader's eyes."""

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.page.conftest import Mill, visit
from tests.page.test_actions import told

Opened = Callable[..., Page]


def test_a_list_is_live_and_filtered(opened: Opened, mill: Mill) -> None:
    page = opened()
    visit(page, "#/jobs?type=mill.complain")
    before = page.locator("table.jobs tbody tr").count()
    mill.submit("mill.complain", {"text": "again"})
    expect(page.locator("table.jobs tbody tr")).to_have_count(before + 1)
    page.locator(".pills label", has_text="failed").click()
    expect(page.locator("table.jobs .status-failed")).to_have_count(before + 1)
    assert page.evaluate("() => location.hash") == "#/jobs?status=failed&type=mill.complain"
    page.get_by_role("button", name="Clear").click()
    assert page.get_by_role("button", name="Cancel all…").count() == 0, "of all jobs, none is changed by accident"
    page.get_by_label("Tag").fill("customer=Bodø")
    page.get_by_label("Tag").press("Enter")
    expect(page.locator("table.jobs tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("table.jobs .status-succeeded").first).to_be_visible()


def test_a_list_is_narrowed_by_several_values_which_are_completed_while_typing(opened: Opened) -> None:
    page = opened()
    visit(page, "#/jobs")
    lines = page.locator("table.jobs tbody tr")
    for status in ("failed", "succeeded"):
        page.locator(".pills label", has_text=status).click()
    expect(page.locator("table.jobs .status-scheduled")).to_have_count(0)
    kind = page.get_by_label("Type or id")
    expect(page.locator(f"#{kind.get_attribute('list')} option[value='mill.grind']")).to_have_count(1)
    for name in ("mill.grind", "mill.complain"):
        kind.fill(name)
        kind.press("Enter")
        expect(page.locator(".token", has_text=name)).to_be_visible()
    assert page.evaluate("() => location.hash") == "#/jobs?status=failed%2Csucceeded&type=mill.grind%2Cmill.complain"
    expect(lines.filter(has_text="mill.complain").first).to_be_visible()
    kind.press("Backspace")
    expect(page.locator(".token")).to_have_count(1)
    expect(lines.filter(has_text="mill.complain")).to_have_count(0)
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Attempts, at least").fill("2")
    page.get_by_label("Attempts, at least").press("Enter")
    expect(page.locator("table.jobs .status-succeeded")).to_have_count(0)
    page.get_by_role("button", name="Without mill.grind").click()
    page.get_by_label("Created from").fill("2100-01-01T00:00")
    page.get_by_label("Created from").press("Enter")
    expect(page.get_by_text("None matches this filter.")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(lines.first).to_be_visible()
    page.get_by_role("button", name="More filters").click()
    expect(page.get_by_label("Error code")).to_have_count(0)
    visit(page, "#/jobs?code=KeyError")
    expect(page.get_by_label("Error code")).to_have_value("KeyError")
    expect(lines.first).to_contain_text("KeyError")
    expect(lines.filter(has_not_text="KeyError")).to_have_count(0)


def test_a_list_shows_how_payloads_begin_and_is_sorted_both_ways(opened: Opened, mill: Mill) -> None:
    mill.submit("mill.grind", {"order_id": "<b>P-1</b>", "notes": "N" * 500}, delay_seconds=3600)
    page = opened()
    visit(page, "#/jobs?type=mill.grind&status=scheduled")
    assert page.locator(".payload").count() == 0
    page.get_by_label("Payloads").check()
    expect(page.locator(".col-detail .payload", has_text="<b>P-1</b>").first).to_contain_text("…")
    first = page.locator("table.jobs tbody tr a[data-line]").first
    newest = first.get_attribute("href")
    page.get_by_label("Order").select_option("Oldest first")
    expect(first).not_to_have_attribute("href", str(newest))
    page.get_by_role("button", name="Created").click()
    page.get_by_role("button", name="Created").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Created")
    expect(first).to_have_attribute("href", str(newest))


def test_a_job_is_found_by_its_id(opened: Opened, mill: Mill) -> None:
    job = mill.submit("mill.grind", {"order_id": "I-1"}, delay_seconds=3600)
    page = opened()
    visit(page, "#/jobs")
    page.get_by_label("Type or id").fill(f" {job} ")
    page.get_by_label("Type or id").press("Enter")
    expect(page.locator(".head .id")).to_contain_text(job)
    assert page.evaluate("() => location.hash") == f"#/jobs/{job}"


def test_ids_are_copied_whole(opened: Opened, mill: Mill) -> None:
    page = opened()
    visit(page, "#/jobs")
    page.locator("table.jobs .copy").first.click()
    told(page, "Copied.")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert mill.client.get(f"/v1/jobs/{copied}").status_code == 200


def test_what_is_newer_does_not_move_what_is_read(opened: Opened, mill: Mill) -> None:
    page = opened()
    visit(page, "#/jobs?type=mill.grind")
    second = page.locator("table.jobs tbody tr").nth(1)
    job = second.locator("a[data-line]").get_attribute("href")
    second.locator("input").check()
    mill.submit("mill.grind", {"order_id": "N-1"})
    expect(page.get_by_role("button", name="Show 1 newer job")).to_be_visible()
    assert second.locator("a[data-line]").get_attribute("href") == job
    page.get_by_role("button", name="Show 1 newer job").click()
    expect(page.locator("table.jobs tbody tr").nth(2).locator("a[data-line]")).to_have_attribute("href", str(job))


def test_a_list_grows_by_a_portion_when_asked(opened: Opened) -> None:
    page = opened()

    def few(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=50", "limit=4"))

    page.route("**/v1/jobs?*", few)
    visit(page, "#/jobs?status=succeeded")
    lines = page.locator("table.jobs tbody tr a[data-line]")
    expect(lines).to_have_count(4)
    page.get_by_role("button", name="More jobs").click()
    expect(lines).to_have_count(8)
    assert len(set(lines.evaluate_all("lines => lines.map(line => line.href)"))) == 8
