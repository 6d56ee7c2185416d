"""The demo's order, against an API that plays it."""

import json

import httpx
from pydantic import JsonValue

from headrace.cli.demo_order import CHILDREN, PAGES, is_whole, run_order
from headrace_client import AsyncClient

Shown = dict[str, JsonValue]


def job(id: str, type: str, status: str = "succeeded", **more: JsonValue) -> Shown:
    return {"id": id, "type": type, "status": status, "attempt": 1, "max_attempts": 5, **more}


class Api:
    """An order that works, waits for its approval, and ends when it is there; `pages` of its children are there."""

    def __init__(self, pages: int = PAGES) -> None:
        self.pages = pages
        self.reads = 0
        self.approved: list[JsonValue] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path.rpartition("/jobs")[2]:
            case "POST", "":
                return httpx.Response(202, json=job("o", "order.take", "queued"))
            case "POST", "/o/signals/approved":
                self.approved.append(json.loads(request.content))
                return httpx.Response(202, json=job("o", "order.take", "queued"))
            case "GET", "/o":
                return httpx.Response(200, json=self.order())
            case "GET", "/o/children":
                label = job("l", "order.label")
                return httpx.Response(200, json={"items": [label, *self.thumbnails()], "next": None})
            case "GET", "/m":
                return httpx.Response(200, json=job("m", "order.thank"))
            case _:
                assert request.url.params["type"] == "order.thank"
                return httpx.Response(200, json={"items": [job("m", "order.thank", "queued")], "next": None})

    def order(self) -> Shown:
        self.reads += 1
        group: Shown = {
            "name": "thumbnails",
            "type": "order.thumbnail",
            "size": PAGES,
            "ended": 10 * self.reads,
            "failed": 0,
        }
        if self.approved:
            return job("o", "order.take", children=[{**group, "ended": CHILDREN}])
        waits: list[JsonValue] = [{"kind": "signal", "name": "approved"}] if self.reads > 2 else []
        return job("o", "order.take", "waiting", waiting_for=waits, children=[group])

    def thumbnails(self) -> list[Shown]:
        return [job(f"t{number}", "order.thumbnail") for number in range(self.pages)]


async def run(api: Api) -> tuple[bool, list[int]]:
    seen: list[int] = []
    async with AsyncClient("http://test", token="t", transport=httpx.MockTransport(api)) as client:
        ended = await run_order(client, 10, seen.append)
    assert all(each.as_expected for each in ended)
    return is_whole(ended), seen


async def test_an_order_is_approved_once_when_it_waits_for_that() -> None:
    api = Api()
    assert await run(api) == (True, [10, 20, 30, CHILDREN])
    assert api.approved == [{"by": "the demo"}]


async def test_an_order_that_lacks_a_child_is_not_whole() -> None:
    assert (await run(Api(pages=PAGES - 1)))[0] is False
