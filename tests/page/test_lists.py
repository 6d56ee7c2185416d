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
    page.get_by_label("Status").select_option("failed")
    expect(page.locator("table.jobs .status-failed")).to_have_count(before + 1)
    assert page.evaluate("() => location.hash") == "#/jobs?status=failed&type=mill.complain"
    page.get_by_role("button", name="Clear").click()
    assert page.get_by_role("button", name="Cancel all…").count() == 0, "of all jobs, none is changed by accident"
    page.get_by_label("Tag").fill("customer=Bodø")
    page.get_by_label("Tag").press("Enter")
    expect(page.locator("table.jobs tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("table.jobs .status-succeeded").first).to_be_visible()


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
