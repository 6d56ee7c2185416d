"""/v1/jobs/{id}/children, and what a job says of its parent and its children."""

from collections.abc import Callable

import pytest
from pydantic import JsonValue

from domain.children.group import new_group
from domain.children.ids import child_id, partition_of, set_key
from domain.children.repository import Tally
from domain.durable.step import CHILDREN, Step
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job, Parent, WaitFor
from domain.jobs.outcomes import Pause
from domain.jobs.transitions import Known
from tests.factories import NOW, POLICY, TOKEN, claimed, failed, legal, queued, succeeded
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, Api

WAIT = Pause(waits_for=(WaitFor(kind="children", name="thumbs", round=0),), until=NOW.replace(year=2027))
SIZE = 5


@pytest.fixture
async def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


async def a_parent(api: Api, owner_id: str = MEMBER.id, groups: tuple[str, ...] = ("thumbs",), size: int = SIZE) -> Job:
    """It waits for children of which none is written yet."""
    job = await api.jobs.add(Change(claimed(queued(owner_id=owner_id))), NOW)
    assert isinstance(job, Job)
    for number, name in enumerate(groups):
        group = new_group("csv.profile", size, None, 0)
        began_at = NOW.replace(minute=number)
        step = Step(job_id=job.life, name=name, kind=CHILDREN, attempt=1, began_at=began_at, group=group)
        await api.steps.remember(step.model_copy(update={"write_id": name}), TOKEN, NOW)
    paused = transitions.finish(job, POLICY, TOKEN, WAIT, NOW, 0.5, Known(steps=len(groups)))
    waiting = await api.jobs.replace(Change(legal(paused)), job.version)
    assert isinstance(waiting, Job)
    return waiting


def child_of(parent: Job, place: int, made: Callable[[], Job] = queued, group: str = "thumbs") -> Job:
    """A child in the state that `made` gives."""
    belongs = Parent(
        life=parent.life, group=group, place=place, depth=1, index=place, size=SIZE, keep_seconds=86_400
    )  # fmt: skip
    id = child_id(parent.life, group, place)
    return made().model_copy(update={"id": id, "owner_id": parent.owner_id, "parent": belongs})


async def stored(api: Api, *jobs: Job) -> None:
    for job in jobs:
        assert isinstance(await api.jobs.add(Change(job), NOW), Job)


async def a_family(api: Api) -> Job:
    """Two of five children have ended, one of them failed; the last one is not written yet."""
    parent = await a_parent(api)
    done, broken = child_of(parent, 0, succeeded), child_of(parent, 1, failed)
    await stored(api, done, broken, *(child_of(parent, place) for place in (2, 3)))
    tally = Tally(ended=frozenset({0, 1}), failed=frozenset({1}))
    await api.counts.add(partition_of(parent.life, "thumbs", 0), set_key(0), tally, NOW.replace(year=2028))
    return parent


def places(page: dict[str, JsonValue]) -> list[tuple[str, int]]:
    items = page["items"]
    assert isinstance(items, list)
    return [(item["parent"]["group"], item["parent"]["place"]) for item in items]  # type: ignore[index,call-overload,misc]


async def test_a_job_shows_how_far_its_children_are(api: Api) -> None:
    parent = await a_family(api)
    shown = api.call("GET", f"/v1/jobs/{parent.id}").json
    assert shown["children"] == [
        {"name": "thumbs", "type": "csv.profile", "size": 5, "begun": 5, "ended": 2, "failed": 1}
    ]
    assert shown["waiting_for"] == [{"kind": "children", "name": "thumbs"}]
    assert shown["parent"] is None


async def test_why_a_parent_waits(api: Api) -> None:
    parent = await a_family(api)
    text = api.call("GET", f"/v1/jobs/{parent.id}/why").json["text"]
    since = "since 2026-11-23 03:00:00 UTC"
    assert text == f"it waits for the children thumbs (2 of 5 ended, 1 of them failed) {since}"


async def test_a_child_names_its_parent(api: Api) -> None:
    parent = await a_family(api)
    shown = api.call("GET", f"/v1/jobs/{child_id(parent.life, 'thumbs', 1)}").json
    assert shown["parent"] == {"job_id": parent.id, "group": "thumbs", "place": 1}
    assert shown["children"] == []


async def test_children_are_listed_by_place_and_those_that_are_not_there_left_out(api: Api) -> None:
    parent = await a_family(api)
    path = f"/v1/jobs/{parent.id}/children"
    first = api.call("GET", path, query={"limit": "2"})
    assert places(first.json) == [("thumbs", 0), ("thumbs", 1)]
    assert "'payload':" not in str(first.json)
    assert f'{path}?limit=2&cursor={first.json["next"]}>; rel="next"' in str(first.headers["link"])
    second = api.call("GET", path, query={"limit": "2", "cursor": str(first.json["next"])}).json
    assert places(second) == [("thumbs", 2), ("thumbs", 3)]
    last = api.call("GET", path, query={"limit": "2", "cursor": str(second["next"])}).json
    assert (last["items"], last["next"]) == ([], None)


async def test_children_are_filtered_by_group_and_status(api: Api) -> None:
    parent = await a_parent(api, groups=("zebras", "ants"))
    await stored(api, *(child_of(parent, place, queued, name) for name in ("ants", "zebras") for place in (0, 1)))
    await stored(api, child_of(parent, 2, failed, "ants"))
    path = f"/v1/jobs/{parent.id}/children"
    in_order = [("zebras", 0), ("zebras", 1), ("ants", 0), ("ants", 1), ("ants", 2)]
    assert places(api.call("GET", path).json) == in_order
    assert places(api.call("GET", path, query={"group": "ants"}).json) == in_order[2:]
    assert places(api.call("GET", path, query={"status": "failed"}).json) == [("ants", 2)]
    assert api.call("GET", path, query={"group": "unknown"}).json == {"items": [], "next": None}
    page = api.call("GET", path, query={"status": "queued", "limit": "3"}).json
    rest = api.call("GET", path, query={"status": "queued", "cursor": str(page["next"])}).json
    assert [*places(page), *places(rest)] == in_order[:4]


async def test_a_filter_that_matches_little_gives_short_pages(api: Api) -> None:
    parent = await a_parent(api, size=2500)
    await stored(api, child_of(parent, 2400, failed))
    path, query = f"/v1/jobs/{parent.id}/children", {"status": "failed"}
    page = api.call("GET", path, query=query).json
    found, pages = places(page), 1
    while page["next"]:
        page = api.call("GET", path, query={**query, "cursor": str(page["next"])}).json
        found, pages = [*found, *places(page)], pages + 1
    assert (found, pages) == ([("thumbs", 2400)], 3)


async def test_a_cursor_is_of_one_list(api: Api) -> None:
    parent = await a_family(api)
    path = f"/v1/jobs/{parent.id}/children"
    cursor = str(api.call("GET", path, query={"limit": "1"}).json["next"])
    api.call("GET", path, query={"cursor": cursor, "status": "failed"}).refused(400, "bad_cursor")
    api.call("GET", path, query={"cursor": "forged"}).refused(400, "bad_cursor")


async def test_another_tenants_children_are_not_there(api: Api) -> None:
    parent = await a_parent(api, owner_id="another")
    api.call("GET", f"/v1/jobs/{parent.id}/children").refused(404, "job_not_found")
    api.call("GET", "/v1/jobs/none/children").refused(404, "job_not_found")
    assert api.call("GET", f"/v1/jobs/{parent.id}/children", who=ADMIN).status == 200


async def test_counts_that_change_without_the_job_are_no_304(api: Api) -> None:
    parent = await a_family(api)
    etag = {"If-None-Match": f'"{parent.version}"'}
    assert api.call("GET", f"/v1/jobs/{parent.id}", headers=etag).status == 200
    all_of_them = Tally(ended=frozenset(range(SIZE)))
    await api.counts.add(partition_of(parent.life, "thumbs", 0), set_key(0), all_of_them, NOW.replace(year=2028))
    assert api.call("GET", f"/v1/jobs/{parent.id}", headers=etag).status == 304
