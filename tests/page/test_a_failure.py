"""What the page is for: a failed job is found, understood, mended and seen to succeed, in less than ten steps."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.page.conftest import Mill, visit


def test_a_failed_job_is_found_understood_retried_and_seen_to_succeed(opened: Callable[..., Page], mill: Mill) -> None:
    page = opened()
    # 1. Overview says what fails.
    failures = page.locator("section", has=page.get_by_role("heading", name="Failures"))
    line = failures.get_by_role("row").filter(has_text="KeyError")
    expect(line).to_contain_text("mill.grind")
    # 2. To the latest of them.
    line.get_by_role("link", name="mill.grind").click()
    # 3. It says what went wrong, and where.
    error = page.get_by_role("region", name="Error")
    expect(error).to_contain_text("'rye'")
    expect(error).to_contain_text(re.compile(r"mill/__init__\.py:\d+ in price_of"))
    expect(error).to_contain_text("return order.prices[order.grain] * order.kilograms")
    # 4. The cause is mended.
    mill.switch.touch()
    # 5. Retry.
    page.get_by_role("button", name="Retry").click()
    # 6. It succeeds before one's eyes.
    expect(page.locator(".head .status")).to_have_text("succeeded")
    expect(page.get_by_role("region", name="Result as a tree")).to_contain_text("sacks")
    mill.switch.unlink()


def test_every_attempt_says_what_went_wrong_and_where(opened: Callable[..., Page], mill: Mill) -> None:
    job = mill.submit("mill.grind", {"order_id": "E-1", "switch": str(mill.switch), "prices": {"oats": 2}})
    mill.status(job, "failed")
    page = opened()
    visit(page, f"#/jobs/{job}")
    before = page.locator("section", has=page.get_by_role("heading", name="Failed attempts before"))
    expect(before.get_by_role("listitem")).to_have_count(1)
    expect(before).to_contain_text("attempt 1")
    expect(before).to_contain_text("'rye'")
    expect(before).to_contain_text(re.compile(r"mill/__init__\.py:\d+ in price_of"))
