"""`context.call` and `context.map`: children are written once, waited for without a function, and told in order."""

from datetime import timedelta

from pydantic import BaseModel

from headrace import ChildFailed, Fail, JobContext, Retry, job_type
from headrace.testing import JobStack
from headrace.testing.clock import START


class Page(BaseModel):
    n: int = 0


class Thumb(BaseModel):
    text: str


class Book(BaseModel):
    pages: int = 3
    failed: str = "raise"
    tolerated: int = 0
    in_flight: int | None = None


class Made(BaseModel):
    texts: list[str]


BROKEN: set[int] = set()


@job_type("image.thumb")
async def thumb(page: Page, _: JobContext) -> Thumb | Fail:
    """Make a thumb."""
    if page.n in BROKEN:
        return Fail(reason=f"page {page.n} is torn", code="torn")
    return Thumb(text=f"thumb {page.n}")


@job_type("book.call")
async def call(book: Book, context: JobContext) -> Made:
    """Make one thumb."""
    made = await context.call("thumb", "image.thumb", Page(n=book.pages), returns=Thumb)
    return Made(texts=[made.text])


@job_type("book.map")
async def make(book: Book, context: JobContext) -> Made:
    """Make all thumbs."""
    made = await context.map(
        "thumbs", "image.thumb", [Page(n=n) for n in range(book.pages)], returns=Thumb,
        failed="collect" if book.failed == "collect" else "raise",
        tolerated_failures=book.tolerated, max_in_flight=book.in_flight,
    )  # fmt: skip
    return Made(texts=[each.code if isinstance(each, ChildFailed) else each.text for each in made])


def a_stack() -> JobStack:
    BROKEN.clear()
    return JobStack([thumb, call, make], START)


async def test_a_call_gives_the_result_of_a_child_job() -> None:
    stack = a_stack()
    job = await stack.submit("book.call", Book(pages=7))
    await stack.drain()
    done = stack.job(job.id)
    assert done.result == Made(texts=["thumb 7"])
    assert done.history == ("queued", "running", "waiting", "queued", "running", "succeeded")
    (child,) = stack.submitted("image.thumb")
    assert (child.status, child.payload) == ("succeeded", {"n": 7})


async def test_a_map_gives_the_results_in_order() -> None:
    stack = a_stack()
    job = await stack.submit("book.map", Book(pages=250))
    await stack.drain()
    assert stack.job(job.id).result == Made(texts=[f"thumb {n}" for n in range(250)])
    assert len(stack.submitted("image.thumb")) == 250


async def test_a_map_of_nothing_gives_nothing() -> None:
    stack = a_stack()
    job = await stack.submit("book.map", Book(pages=0))
    await stack.drain()
    assert stack.job(job.id).result == Made(texts=[])


async def test_more_failures_than_are_tolerated_fail_the_parent_when_all_have_ended() -> None:
    stack = a_stack()
    BROKEN.update({1, 2})
    job = await stack.submit("book.map", Book(pages=4))
    await stack.drain()
    done = stack.job(job.id)
    assert done.status == "failed"
    assert done.error is not None
    assert done.error.code == "child_failed"
    assert done.error.message.endswith("torn: page 1 is torn (2 of 4 failed)")
    assert [child.status for child in stack.submitted("image.thumb")] == ["succeeded", "failed", "failed", "succeeded"]
    assert done.attempt == 1


async def test_tolerated_failures_stand_in_their_places() -> None:
    stack = a_stack()
    BROKEN.add(1)
    job = await stack.submit("book.map", Book(tolerated=1))
    collected = await stack.submit("book.map", Book(failed="collect"))
    await stack.drain()
    assert stack.job(job.id).result == Made(texts=["thumb 0", "torn", "thumb 2"])
    assert stack.job(collected.id).result == Made(texts=["thumb 0", "torn", "thumb 2"])


async def test_at_most_so_many_run_at_once() -> None:
    stack = a_stack()
    job = await stack.submit("book.map", Book(pages=7, in_flight=3))
    await stack.drain()
    done = stack.job(job.id)
    assert done.result == Made(texts=[f"thumb {n}" for n in range(7)])
    assert done.history.count("waiting") == 3


async def test_a_persons_retry_runs_only_what_failed() -> None:
    stack = a_stack()
    BROKEN.update({1, 5})
    job = await stack.submit("book.map", Book(pages=6, in_flight=4))
    await stack.drain()
    assert stack.job(job.id).status == "failed"
    BROKEN.clear()
    await stack.retry(job.id)
    await stack.drain()
    assert stack.job(job.id).result == Made(texts=[f"thumb {n}" for n in range(6)])
    attempts = [child.history.count("running") for child in stack.submitted("image.thumb")]
    assert attempts == [1, 2, 1, 1, 1, 1], "no wave is begun after one with more failures than are tolerated"


async def test_a_cancelled_parents_children_are_cancelled() -> None:
    stack = a_stack()

    @job_type("slow.thumb")
    async def slow(page: Page, context: JobContext) -> Thumb:
        """Sleep."""
        await context.sleep("night", timedelta(days=1))
        return Thumb(text=str(page.n))

    @job_type("slow.book")
    async def slow_book(book: Book, context: JobContext) -> Made | Retry:
        """Make slow thumbs."""
        made = await context.map("thumbs", "slow.thumb", [Page(n=n) for n in range(book.pages)], returns=Thumb)
        return Made(texts=[each.text for each in made])

    stack = JobStack([slow, slow_book], START)
    job = await stack.submit("slow.book", Book())
    await stack.drain()
    assert stack.job(job.id).status == "waiting"
    await stack.cancel(job.id)
    await stack.drain()
    assert [child.status for child in stack.submitted("slow.thumb")] == ["cancelled"] * 3
    await stack.retry(job.id)
    await stack.travel(days=2)
    assert stack.job(job.id).result == Made(texts=["0", "1", "2"])


@job_type("image.slow", max_age=timedelta(days=100))
async def slow(page: Page, context: JobContext) -> Thumb:
    """Make a thumb in so many days."""
    await context.sleep("paint", timedelta(days=page.n))
    return Thumb(text=f"thumb {page.n}")


@job_type("book.slow")
async def make_slowly(_: Book, context: JobContext) -> Made:
    """Make a thumb at once, and one that takes longer than ended jobs are kept."""
    made = await context.map("thumbs", "image.slow", [Page(n=0), Page(n=45)], returns=Thumb, failed="collect")
    return Made(texts=[each.code if isinstance(each, ChildFailed) else each.text for each in made])


async def test_a_stack_deletes_what_has_expired_and_children_outlive_that() -> None:
    stack = JobStack([thumb, slow, make_slowly], START)
    alone, job = await stack.submit("image.thumb", Page(n=1)), await stack.submit("book.slow", Book())
    await stack.travel(days=44)
    assert alone.id not in {each.id for each in stack._jobs.stored}
    await stack.travel(days=2)
    assert stack.job(job.id).result == Made(texts=["thumb 0", "thumb 45"])
