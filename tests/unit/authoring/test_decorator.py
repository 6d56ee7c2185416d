"""`@job_type`: what it reads from a function, and what it refuses, with a sentence that names the function."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Annotated, Optional

import pytest
from pydantic import BaseModel

from domain.jobs.catalogue import Catalogue
from domain.jobs.guard import is_plain
from headrace import Backoff, Fail, InvalidJobType, JobContext, Policy, Retry, Stopped, SyncJobContext, job_type
from tests.fakes.context import FakeContext


class Document(BaseModel):
    text: str = ""


class WordCount(BaseModel):
    words: int = 0


@job_type("text.word_count", timeout=timedelta(seconds=10), max_attempts=3)
async def count_words(document: Document, context: JobContext) -> WordCount | Fail:
    """Count the words of a text.

    More about it.
    """
    return WordCount(words=len(document.text.split())) if context.attempt else Fail(reason="no attempt")


@job_type("text.length", backoff=Backoff(base=timedelta(seconds=1)), version=2, settings=("LIMIT",))
def measure(document: Document, context: SyncJobContext) -> WordCount | Retry | Stopped:
    """Measure a text"""
    return WordCount(words=len(document.text)) if context.attempt else Stopped()


@job_type("text.nothing")
def ignore(_document: Document) -> WordCount:
    """Ignore a text."""
    return WordCount()


async def test_an_async_function_becomes_a_handler_and_stays_a_function() -> None:
    definition = count_words.definition
    assert (definition.name, definition.summary) == ("text.word_count", "Count the words of a text")
    assert (definition.payload, definition.result) == (Document, WordCount)
    assert definition.policy == Policy(timeout=timedelta(seconds=10), max_attempts=3)
    assert await count_words(Document(text="a b"), FakeContext()) == WordCount(words=2)
    assert await count_words.run(Document(text="a b"), FakeContext()) == WordCount(words=2)
    assert getattr(count_words, "__name__", "") == "count_words"
    assert not is_plain(count_words)  # type: ignore[arg-type]  # the catalogue widens its payload


def test_a_plain_function_becomes_a_handler_that_runs_in_a_thread() -> None:
    assert measure.definition.policy.backoff.base == timedelta(seconds=1)
    assert (measure.definition.version, measure.definition.settings) == (2, ("LIMIT",))
    assert is_plain(measure)  # type: ignore[arg-type]  # the catalogue widens its payload
    assert ignore(Document()) == ignore.run(Document(), FakeContext()) == WordCount()  # type: ignore[arg-type]


def test_functions_and_classes_are_registered_alike() -> None:
    assert Catalogue([count_words, measure, ignore]).names() == ("text.length", "text.nothing", "text.word_count")


def test_a_model_may_be_annotated_optional_or_named_by_text() -> None:
    @job_type("a.annotated")
    async def annotated(document: Annotated[Document, "said"], context: "JobContext") -> "Annotated[WordCount, 1]":
        """Annotated."""
        return WordCount()

    assert (annotated.definition.payload, annotated.definition.result) == (Document, WordCount)


async def generates(document: Document) -> AsyncIterator[WordCount]:
    """Yields."""
    yield WordCount()


def unannotated(document, context):  # type: ignore[no-untyped-def]
    """Says nothing."""


def a_dict(document: dict[str, str]) -> WordCount:
    """Takes a dict."""
    return WordCount()


def two_payloads(document: Document | WordCount) -> WordCount:
    """Takes two."""
    return WordCount()


def optional_payload(document: Optional[Document]) -> WordCount:  # noqa: UP045 - as people write it
    """Takes one or none."""
    return WordCount()


def returns_nothing(document: Document):  # type: ignore[no-untyped-def]
    """Does not say."""


def returns_none(document: Document) -> None:
    """Returns None."""


def two_results(document: Document) -> WordCount | Document:
    """Returns two."""
    return document


def only_fails(document: Document) -> Fail:
    """Always fails."""
    return Fail(reason="always")


def three(document: Document, context: SyncJobContext, more: int) -> WordCount:
    """Takes three."""
    return WordCount()


def keyword(document: Document, *, more: int) -> WordCount:
    """Needs a keyword."""
    return WordCount()


def nothing() -> WordCount:
    """Takes nothing."""
    return WordCount()


def silent(document: Document) -> WordCount:
    return WordCount()


def unreadable(document: "Missing") -> WordCount:  # type: ignore[name-defined]  # noqa: F821
    """Names what is not there."""
    return WordCount()


class Holder:
    def method(self, document: Document) -> WordCount:
        """A method."""
        return WordCount()


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (generates, "is a generator"),
        (unannotated, "does not say what `document` is; annotate it with a pydantic model"),
        (a_dict, "`document` is annotated with dict[str, str], not with a pydantic model"),
        (two_payloads, "not with a pydantic model"),
        (optional_payload, "not with a pydantic model"),
        (returns_nothing, "does not say what it returns"),
        (returns_none, "annotated to return NoneType; it must be one pydantic model"),
        (two_results, "it must be one pydantic model"),
        (only_fails, "annotated to return Fail; it must be one pydantic model"),
        (three, "must take the payload and, if it needs it, the context"),
        (keyword, "must take the payload"),
        (nothing, "must take the payload"),
        (silent, "has no docstring"),
        (unreadable, "has an annotation that cannot be read: NameError"),
        (Holder.method, "is a method"),
        (Holder, "is not a function"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence_that_names_the_function(
    function: Callable[..., WordCount], sentence: str
) -> None:
    with pytest.raises(InvalidJobType) as refused:
        job_type("a.b")(function)
    assert sentence in str(refused.value)
    assert function.__qualname__ in str(refused.value)


def test_a_lambda_is_refused() -> None:
    with pytest.raises(InvalidJobType, match="is a lambda"):
        job_type("a.b")(lambda document: WordCount())


def test_a_wrong_name_is_refused_with_file_and_line() -> None:
    with pytest.raises(InvalidJobType, match=r"silent_not .*test_decorator\.py:\d+\): name: String should match"):

        @job_type("No Name")
        def silent_not(document: Document) -> WordCount:
            """Says something."""
            return WordCount()


def test_a_wrong_policy_is_refused() -> None:
    with pytest.raises(InvalidJobType, match=r"@job_type\('a.b'\): max_attempts: Input should be greater"):
        job_type("a.b", max_attempts=0)


def test_errors_are_exposed_unless_the_type_says_otherwise() -> None:
    async def check(document: Document) -> WordCount:
        """Check."""
        return WordCount()

    assert job_type("a.b")(check).definition.policy.expose_errors
    assert not job_type("a.b", expose_errors=False)(check).definition.policy.expose_errors
