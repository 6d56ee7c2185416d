"""What type checkers say of job types. Nothing here runs: mypy and pyright are the test.

Each `type: ignore` is an error that they must find, for one that is not needed is an error itself.
"""

from collections.abc import Coroutine
from datetime import timedelta
from typing import assert_type

from pydantic import BaseModel

from headrace import Fail, Handler, JobContext, JobType, Retry, SyncJobContext, job_type


class Document(BaseModel):
    """A payload."""

    text: str = ""


class Count(BaseModel):
    """A result."""

    words: int = 0


@job_type("text.count", timeout=timedelta(seconds=10))
async def count(document: Document, context: JobContext) -> Count | Retry | Fail:
    """Count the words of a text."""
    await context.report_progress(0.5)
    return Count(words=len(document.text))


@job_type("text.count_alone")
async def count_alone(document: Document) -> Count:
    """Count the words of a text."""
    return Count(words=len(document.text))


@job_type("text.count_plainly")
def count_plainly(document: Document, context: SyncJobContext) -> Count | Fail:
    """Count the words of a text."""
    context.report_progress(0.5)
    return Count(words=len(document.text))


@job_type("text.count_plainly_alone")
def count_plainly_alone(document: Document) -> Count:
    """Count the words of a text."""
    return Count(words=len(document.text))


class CountWords:
    """The class form."""

    definition = JobType[Document, Count](name="text.words", summary="Count", payload=Document, result=Count)

    async def run(self, document: Document, _context: JobContext) -> Count | Fail:
        return Count(words=len(document.text))


class CountWordsPlainly:
    """The class form, in a thread."""

    definition = JobType[Document, Count](name="text.plain_words", summary="Count", payload=Document, result=Count)

    def run(self, document: Document, _context: SyncJobContext) -> Count | Fail:
        return Count(words=len(document.text))


JOB_TYPES: tuple[Handler, ...] = (
    count,
    count_alone,
    count_plainly,
    count_plainly_alone,
    CountWords(),
    CountWordsPlainly(),
)


async def a_direct_call_has_the_types_of_the_function(document: Document, context: JobContext) -> None:
    assert_type(count.definition, JobType[Document, Count])
    assert_type(count_plainly_alone.definition, JobType[Document, Count])
    assert_type(await count(document, context), Count | Retry | Fail)
    called: Coroutine[None, None, Count] = count_alone(document)
    assert_type(await called, Count)
    assert_type(count_plainly_alone(document), Count)


async def a_wrong_call_is_an_error(document: Document, context: JobContext, plain: SyncJobContext) -> None:
    await count_alone(Count())  # type: ignore[arg-type]
    await count_alone({"text": ""})  # type: ignore[arg-type]
    await count(document)  # type: ignore[call-arg]
    await count_alone(document, context)  # type: ignore[call-arg]
    await count(document, plain)  # type: ignore[arg-type]
    count_plainly(document, context)  # type: ignore[arg-type]


async def undecorated(document: Document, _context: JobContext) -> Count:
    """Is no job type."""
    return Count(words=len(document.text))


class ReturnsANumber:
    """Has no result model."""

    definition = JobType[Document, Count](name="text.number", summary="Count", payload=Document, result=Count)

    async def run(self, document: Document, _context: JobContext) -> int:
        return len(document.text)


class TakesAnotherContext:
    """Is `async`, with the context of a thread."""

    definition = JobType[Document, Count](name="text.other", summary="Count", payload=Document, result=Count)

    async def run(self, document: Document, _context: SyncJobContext) -> Count:
        return Count(words=len(document.text))


class HasNoDefinition:
    """Says nothing of itself."""

    async def run(self, document: Document, _context: JobContext) -> Count:
        return Count(words=len(document.text))


UNDECORATED: Handler = undecorated  # type: ignore[assignment]
NO_INSTANCE: Handler = CountWords  # type: ignore[assignment]
RETURNS_A_NUMBER: Handler = ReturnsANumber()  # type: ignore[assignment]
TAKES_ANOTHER_CONTEXT: Handler = TakesAnotherContext()  # type: ignore[assignment]
HAS_NO_DEFINITION: Handler = HasNoDefinition()  # type: ignore[assignment]
WRONG_MEMBER: tuple[Handler, ...] = (count, undecorated)  # type: ignore[assignment]


def a_wrong_function_is_an_error() -> None:
    @job_type("a.dict")  # type: ignore[arg-type, type-var]
    def takes_a_dict(document: dict[str, str]) -> Count:
        return Count(words=len(document))

    @job_type("a.none")  # type: ignore[arg-type]
    def may_return_none(document: Document) -> Count | None:
        return Count(words=len(document.text))

    @job_type("a.context")  # type: ignore[arg-type]
    async def takes_another_context(document: Document, _context: SyncJobContext) -> Count:
        return Count(words=len(document.text))

    @job_type("a.third")  # type: ignore[arg-type]
    async def takes_three(document: Document, _context: JobContext, _more: int) -> Count:
        return Count(words=len(document.text))

    @job_type("a.timeout", timeout=10)  # type: ignore[arg-type]
    async def has_a_number_as_its_timeout(document: Document) -> Count:
        return Count(words=len(document.text))
