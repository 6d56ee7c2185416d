"""Tests of handlers that have children: one attempt by `run_job`, every crash by `survives_crashes`."""

import pytest
from pydantic import BaseModel

from headrace import ChildFailed, Fail, JobContext, job_type
from headrace.testing import Effect, run_job, survives_crashes


class Page(BaseModel):
    n: int


class Thumb(BaseModel):
    text: str


class Book(BaseModel):
    pages: int = 3


class Made(BaseModel):
    texts: list[str]


class Store:
    """What thumbs are written to, and who is told."""

    def __init__(self) -> None:
        self.thumbs: list[int] = []
        self.told: list[int] = []

    async def write(self, n: int, idempotency_key: str) -> None:
        self.thumbs.append(n)

    async def tell(self, n: int) -> None:
        self.told.append(n)


class World:
    """A parent, and its children's type."""

    def __init__(self) -> None:
        store = Store()
        self.write = write = Effect(store.write)
        self.tell = tell = Effect(store.tell)

        @job_type("image.thumb")
        async def thumb(page: Page, context: JobContext) -> Thumb | Fail:
            """Make a thumb."""
            await write(page.n, idempotency_key=context.idempotency_key)
            return Thumb(text=f"thumb {page.n}")

        @job_type("book.make")
        async def book(asked: Book, context: JobContext) -> Made:
            """Make a book."""
            pages = [Page(n=n) for n in range(asked.pages)]
            made = await context.map("thumbs", "image.thumb", pages, returns=Thumb, failed="collect")
            cover = await context.call("cover", "image.thumb", Page(n=99), returns=Thumb)
            return Made(texts=[each.code if isinstance(each, ChildFailed) else each.text for each in (*made, cover)])

        @job_type("book.carelessly")
        async def careless(asked: Book, context: JobContext) -> Made:
            """Tell somebody before the children are asked for."""
            await tell(asked.pages)
            await context.call("cover", "image.thumb", Page(n=99), returns=Thumb)
            return Made(texts=[])

        self.thumb, self.book, self.careless = thumb, book, careless


def test_one_attempt_gets_what_a_test_gives_it() -> None:
    failed = ChildFailed("thumbs", 1, "id", "torn", "no")
    given = {"thumbs": [Thumb(text="a"), failed, {"text": "c"}], "cover": Thumb(text="d")}
    run = run_job(World().book, Book(), children=given)
    assert run.result == Made(texts=["a", "torn", "c", "d"])
    assert run.submitted == ()


def test_children_that_no_test_gives_are_waited_for() -> None:
    run = run_job(World().book, Book(pages=2))
    assert (run.status, run.waits_for) == ("waiting", ("thumbs",))
    assert [(job.type, job.payload) for job in run.submitted] == [("image.thumb", {"n": n}) for n in range(2)]


def test_a_parent_and_its_children_survive_every_crash() -> None:
    world = World()
    runs = survives_crashes(world.book, Book(pages=2), effects=[world.write], children=[world.thumb])
    assert runs > 30


def test_an_effect_beside_the_children_is_made_again() -> None:
    world = World()
    with pytest.raises(AssertionError, match="tell"):
        survives_crashes(world.careless, Book(), effects=[world.write, world.tell], children=[world.thumb])


def test_children_whose_type_is_not_given_do_not_run() -> None:
    world = World()
    with pytest.raises(AssertionError, match="without a fault"):
        survives_crashes(world.careless, Book(), effects=[world.write, world.tell])
