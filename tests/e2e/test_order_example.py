"""examples/order on the stack as a person starts it, seen by the command line and over HTTP."""

import json
import shutil
import time
from collections.abc import Iterator

import pytest

from headrace.emulator.cloudformation import ROOT
from tests.e2e.conftest import Stack

PAYLOAD = {"id": "7", "customer": "ada", "cents": 1200, "items": ["book"], "pages": 3, "cooling_off_seconds": 1}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("order") / "project"
    shutil.copytree(ROOT / "examples" / "order", folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    stack = Stack(folder, "--no-reload", environment={"JOB_TYPES": "order"})
    yield stack
    assert stack.stop() == 0


def submitted(shop: Stack, **changes: object) -> str:
    payload = json.dumps(PAYLOAD | changes)
    return str(json.loads(shop.cli.ok("submit", "order.take", "--payload", payload, "--json"))["id"])


def until_it_waits(shop: Stack, job_id: str, name: str) -> None:
    ends = time.monotonic() + 60
    with shop.client() as client:
        while [each["name"] for each in client.get(f"/v1/jobs/{job_id}").json()["waiting_for"]] != [name]:
            assert time.monotonic() < ends
            time.sleep(0.2)


def test_an_order_shows_its_children_and_each_of_them_its_parent(shop: Stack) -> None:
    order = submitted(shop)
    until_it_waits(shop, order, "approved")
    shown = shop.cli.ok("get", order)
    assert "calls   label: 1 of 1 order.label ended" in shown
    assert "calls   thumbnails: 3 of 3 order.thumbnail ended" in shown
    lines = [line.split() for line in shop.cli.ok("get", order, "--children").splitlines()]
    assert [(line[0], line[2], line[3]) for line in lines] == [
        ("label[0]", "succeeded", "order.label"),
        *((f"thumbnails[{place}]", "succeeded", "order.thumbnail") for place in range(3)),
    ]
    assert f"child   2 of thumbnails of {order}" in shop.cli.ok("get", lines[3][1])
    with shop.client() as client:
        page = client.get(f"/v1/jobs/{order}/children", params={"group": "thumbnails", "limit": 2}).json()
        rest = client.get(f"/v1/jobs/{order}/children", params={"group": "thumbnails", "cursor": page["next"]}).json()
        steps = client.get(f"/v1/jobs/{order}/steps").json()["items"]
    assert [each["parent"]["place"] for each in (*page["items"], *rest["items"])] == [0, 1, 2]
    kinds = {(step["name"], step["kind"]): step["value"] for step in steps}
    assert {kind for _, kind in kinds} == {"step", "time", "signal", "children", "results"}
    assert kinds["thumbnails", "results"] is None
    shop.cli.ok("signal", order, "approved", '{"by": "Ann"}')
    assert json.loads(shop.cli.ok("watch", order, "--json"))["result"]["pages"] == 3


def test_an_order_with_a_page_that_cannot_be_drawn_says_which(shop: Stack) -> None:
    order = submitted(shop, pages=251)
    failed = shop.cli.run("watch", order, "--json")
    error = json.loads(failed.stdout)["error"]
    assert error["code"] == "child_failed"
    assert "child 250 of thumbnails" in error["message"]
    with shop.client() as client:
        children = client.get(f"/v1/jobs/{order}/children", params={"status": "failed"}).json()["items"]
    assert [(child["parent"]["place"], child["error"]["code"]) for child in children] == [(250, "no_page")]
