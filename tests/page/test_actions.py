"""Every action, against the real stack."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import Mill, visit

Opened = Callable[..., Page]


def dialog(page: Page, button: str) -> None:
    page.locator("dialog").get_by_role("button", name=button, exact=True).click()


def told(page: Page, text: str) -> None:
    expect(page.locator(".notices")).to_contain_text(text)


def test_a_waiting_job_is_cancelled_and_retried(opened: Opened, mill: Mill) -> None:
    job = mill.submit("mill.grind", {"order_id": "C-1"}, delay_seconds=3600)
    page = opened()
    visit(page, f"#/jobs/{job}")
    expect(page.locator(".why")).to_contain_text("Waiting: its time is")
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog(page, "Cancel the job")
    expect(page.locator(".head .status")).to_have_text("cancelled")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".head .status")).to_have_text("succeeded")


def test_a_running_job_shows_its_progress_and_stops_when_asked(opened: Opened, mill: Mill) -> None:
    job = mill.submit("mill.deliver", {"seconds": 40, "steps": 40})
    page = opened()
    visit(page, f"#/jobs/{job}")
    expect(page.get_by_text(re.compile(r"stop \d+ of 40"))).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog(page, "Cancel the job")
    expect(page.locator(".head .status")).to_have_text(re.compile("cancelled|running · stopping"))
    expect(page.locator(".head .status")).to_have_text("cancelled")


def test_what_the_api_refuses_is_undone_and_told(opened: Opened, mill: Mill) -> None:
    job = mill.submit("mill.grind", {"order_id": "R-1"}, delay_seconds=3600)
    page = opened()
    visit(page, f"#/jobs/{job}")
    problem = {"detail": "Somebody was faster.", "code": "illegal_transition"}
    page.route("**/cancel", lambda route: route.fulfill(status=409, json=problem))
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog(page, "Cancel the job")
    told(page, "Somebody was faster.")
    expect(page.locator(".head .status")).to_have_text("scheduled")


def test_a_job_is_submitted_by_its_form(opened: Opened) -> None:
    page = opened()
    visit(page, "#/types/mill.grind")
    page.get_by_role("button", name="Submit the job").click()
    expect(page.get_by_text("is required")).to_be_visible()
    page.get_by_label("order_id").fill("from the page")
    page.get_by_label("kilograms").fill("-1")
    page.get_by_role("button", name="Submit the job").click()
    expect(page.locator(".flaw").first).to_contain_text("greater than 0")
    page.get_by_label("kilograms").fill("120")
    page.get_by_label("prices").fill('{"rye": 2.5}')
    page.get_by_role("button", name="Submit the job").click()
    expect(page.locator(".head .status")).to_have_text("succeeded")
    expect(page.get_by_role("region", name="Result as a tree")).to_contain_text("300")


def test_many_jobs_are_cancelled_and_retried_after_a_dry_run(opened: Opened, mill: Mill) -> None:
    jobs = [mill.submit("mill.grind", {"order_id": f"B-{number}"}, delay_seconds=7200) for number in range(3)]
    page = opened()
    visit(page, "#/jobs?status=scheduled")
    for job in jobs:
        page.get_by_label(f"Select mill.grind {job[:8]}").check()
    page.get_by_role("button", name="Cancel…").click()
    expect(page.locator("dialog")).to_contain_text("Dry run: 3 jobs would be cancelled")
    assert mill.status(jobs[0], "scheduled")
    dialog(page, "Cancel 3 jobs")
    expect(page.locator("dialog")).to_contain_text("3 jobs cancelled")
    dialog(page, "Close")
    for job in jobs:
        mill.status(job, "cancelled")
    visit(page, "#/jobs?status=cancelled")
    page.get_by_role("button", name="Retry all…").click()
    page.locator("dialog").get_by_role("button", name=re.compile(r"Retry \d+ jobs")).click()
    expect(page.locator("dialog")).to_contain_text("queued again")
    for job in jobs:
        mill.status(job, "succeeded")


def test_all_failures_of_a_kind_are_retried_from_the_overview(opened: Opened, mill: Mill) -> None:
    page = opened()
    page.get_by_role("button", name="Retry… mill.complain that failed by failed").click()
    expect(page.locator("dialog")).to_contain_text("Dry run:")
    page.locator("dialog").get_by_role("button", name=re.compile(r"Retry \d+ job")).click()
    expect(page.locator("dialog")).to_contain_text("queued again")


def test_a_schedule_is_made_paused_run_and_deleted(opened: Opened) -> None:
    page = opened()
    visit(page, "#/schedules")
    page.get_by_role("button", name="New schedule").click()
    form = page.locator("dialog")
    form.get_by_label("Name").fill("By hand")
    form.get_by_label("Type").fill("mill.grind")
    form.get_by_label("Cron").fill("61 * * * *")
    expect(form.locator(".preview .flaw")).to_be_visible()
    form.get_by_label("Cron").fill("30 4 * * *")
    expect(form.locator(".preview li")).to_have_count(3)
    form.get_by_label("Payload").fill('{"order_id": "S-1"}')
    dialog(page, "Create")
    page.get_by_role("button", name="Pause By hand").click()
    told(page, "By hand is paused.")
    page.get_by_role("button", name="Resume By hand").click()
    told(page, "By hand is resumed.")
    page.get_by_role("button", name="Run now: By hand").click()
    expect(page.locator(".head .status")).to_have_text("succeeded")
    visit(page, "#/schedules")
    page.get_by_role("button", name="Delete By hand").click()
    dialog(page, "Delete it")
    told(page, "By hand is deleted.")
    expect(page.get_by_text("By hand", exact=True)).to_have_count(0)


def test_a_lane_is_paused_limited_and_resumed(opened: Opened, mill: Mill) -> None:
    page = opened()
    visit(page, "#/lanes")
    page.get_by_role("button", name="Pause mill.stone").click()
    told(page, "mill.stone is paused.")
    page.get_by_role("button", name="Resume mill.stone").click()
    told(page, "mill.stone is open.")
    page.get_by_role("button", name="Limit… of mill.stone").click()
    page.get_by_label("At once").fill("2")
    dialog(page, "Save")
    told(page, "Changed.")
    expect(page.get_by_role("row").filter(has_text="mill.stone")).to_contain_text("/ 2")
    page.get_by_role("button", name="mill.stone", exact=True).click()
    expect(page.locator(".places a").first).to_be_visible()


def test_a_webhook_is_made_tested_disabled_and_deleted(opened: Opened) -> None:
    page = opened()
    visit(page, "#/webhooks")
    page.get_by_role("button", name="New webhook").click()
    page.get_by_label("Address").fill("no address")
    dialog(page, "Create")
    expect(page.locator("dialog .flaw").first).to_be_visible()
    page.get_by_label("Address").fill("https://by-hand.example.com/hook")
    dialog(page, "Create")
    expect(page.locator(".secret")).to_contain_text("whsec_")
    dialog(page, "I have it")
    page.get_by_role("link", name="https://by-hand.example.com/hook").click()
    page.get_by_role("button", name="Send a test").click()
    told(page, "A test is on its way.")
    expect(page.locator("table.jobs tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Disable").click()
    told(page, "It is told no more.")
    page.get_by_role("button", name="Enable").click()
    told(page, "It is told again.")
    page.get_by_role("button", name="New secret").click()
    expect(page.locator(".secret")).to_contain_text("whsec_")
    dialog(page, "I have it")
    page.get_by_role("button", name="Delete").click()
    dialog(page, "Delete it")
    told(page, "The webhook is deleted.")


def test_a_user_is_made_changed_given_a_key_and_deleted(opened: Opened) -> None:
    page = opened()
    visit(page, "#/users")
    page.get_by_role("button", name="New user").click()
    page.get_by_label("Address").last.fill("miller@example.com")
    page.get_by_label("Name").fill("A second one")
    dialog(page, "Create")
    expect(page.locator("dialog .flaw")).to_be_visible()
    page.get_by_label("Address").last.fill("by-hand@example.com")
    dialog(page, "Create")
    told(page, "by-hand@example.com may enter.")
    page.get_by_role("button", name="Keys of by-hand@example.com").click()
    page.get_by_label("New API key").fill("the shop")
    dialog(page, "Make a key")
    expect(page.locator(".secret")).to_contain_text("hr_")
    page.get_by_role("button", name="Rotate the shop").click()
    told(page, "A new secret is made")
    page.get_by_role("button", name="Remove the shop").click()
    told(page, "the shop is removed.")
    dialog(page, "Close")
    page.get_by_role("button", name="Disable by-hand@example.com").click()
    told(page, "by-hand@example.com may not enter any more.")
    page.get_by_role("button", name="Enable by-hand@example.com").click()
    told(page, "by-hand@example.com may enter again.")
    page.get_by_role("button", name="Make admin: by-hand@example.com").click()
    told(page, "by-hand@example.com is an admin.")
    page.get_by_text("Admins", exact=True).click()
    page.get_by_role("button", name="Delete by-hand@example.com").click()
    dialog(page, "Delete the user")
    told(page, "by-hand@example.com is deleted.")


def test_without_a_connection_the_page_shows_what_it_had(opened: Opened) -> None:
    page = opened()
    visit(page, "#/jobs")
    page.context.set_offline(True)
    expect(page.locator(".stale")).to_contain_text("No connection.")
    assert page.locator("table.jobs tbody tr").count() > 5
    visit_unread = "#/schedules"
    page.evaluate("route => { location.hash = route }", visit_unread)
    expect(page.get_by_role("alert")).to_contain_text("No connection")
    page.context.set_offline(False)
    expect(page.get_by_text("Nightly books")).to_be_visible()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_theme_is_chosen_and_kept(opened: Opened, theme: str) -> None:
    page = opened(theme="light" if theme == "Dark" else "dark")
    page.get_by_text(theme, exact=True).click()
    page.reload()
    page.wait_for_selector(".shell")
    assert page.evaluate("() => getComputedStyle(document.documentElement).colorScheme") == theme.lower()


def test_a_durable_job_shows_its_steps_and_gets_the_signal_it_waits_for(opened: Opened, mill: Mill) -> None:
    job = mill.submit("mill.order", {"order_id": "D-2"})
    page = opened()
    visit(page, f"#/jobs/{job}")
    page.get_by_role("button", name="Send approved…").click()
    page.get_by_label("What it says").fill("{")
    expect(page.locator("dialog .flaw")).to_contain_text("is not JSON")
    page.get_by_label("What it says").fill('{"by": "the miller"}')
    dialog(page, "Send")
    told(page, "approved is sent.")
    expect(page.locator(".head .status")).to_have_text("succeeded")
    expect(page.get_by_role("region", name="Result as a tree")).to_contain_text("D-2 by the miller")
    expect(page.locator(".track-name")).to_contain_text(["This job", "reserve", "approved"])
    page.get_by_text("Steps", exact=False).first.click()
    expect(page.locator("main")).to_contain_text("1 sacks for D-2")
