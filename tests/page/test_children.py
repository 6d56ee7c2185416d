"""A job with children, and a child with a parent."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import Mill, visit
from tests.page.test_screens import flaws, overflow

Opened = Callable[..., Page]


def test_a_job_shows_its_children_and_they_show_it(opened: Opened, mill: Mill) -> None:
    job = mill.submit("mill.bake", {"loaves": 25, "burnt": [3, 7]})
    page = opened()
    visit(page, f"#/jobs/{job}")
    expect(page.locator(".why")).to_contain_text("it waits for the children the-last-one (0 of 1 ended)")
    children = page.locator("section", has=page.get_by_role("heading", name="Children"))
    expect(children.get_by_role("row").filter(has_text="loaves")).to_contain_text("25 of 25")
    expect(children.get_by_role("row").filter(has_text="loaves").locator(".status-failed")).to_have_text("2")
    expect(page.locator(".track-name")).to_contain_text(["This job", "loaves", "the-last-one"])
    children.get_by_role("button", name="List the 26 jobs").click()
    expect(children.locator("table.jobs tbody tr")).to_have_count(20)
    children.get_by_role("button", name="More children").click()
    expect(children.locator("table.jobs tbody tr")).to_have_count(26)
    expect(children.locator("table.jobs tbody tr").nth(24)).to_contain_text("loaves, place 24")
    children.get_by_label("Status").select_option("failed")
    expect(children.locator("table.jobs tbody tr")).to_have_count(2)
    expect(children.locator("table.jobs")).to_contain_text("loaf 3 is burnt")
    children.get_by_label("Status").select_option("")
    children.get_by_label("Group").select_option("the-last-one")
    children.locator("table.jobs a[data-line]").click()
    expect(page.locator(".head .status")).to_have_text("waiting")
    expect(page.get_by_text("the-last-one, place 0")).to_be_visible()
    page.get_by_role("button", name="Send looked…").click()
    page.get_by_label("What it says").fill('{"by": "the baker"}')
    page.locator("dialog").get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".head .status")).to_have_text("succeeded")
    page.get_by_role("link", name=re.compile(f"^{job[:8]}$")).click()
    expect(page.locator(".head .status")).to_have_text("succeeded")
    expect(page.get_by_role("region", name="Result as a tree")).to_contain_text("24")


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_children_are_accessible_and_fit(opened: Opened, mill: Mill, theme: str, width: int) -> None:
    job = mill.submit("mill.bake", {"loaves": 3, "burnt": [1]})
    page = opened(theme=theme, width=width)
    visit(page, f"#/jobs/{job}")
    page.get_by_role("button", name="List the 4 jobs").click()
    expect(page.locator("section table.jobs tbody tr")).to_have_count(4)
    page.get_by_text("Steps", exact=False).first.click()
    assert (overflow(page), flaws(page)) == (0, [])
