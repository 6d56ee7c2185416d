"""What `@job_type` makes of a function."""

import functools
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Optional, TypeAlias, TypeVar, Union

import pytest
from pydantic import BaseModel, RootModel
from typing_extensions import TypeAliasType

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from domain.jobs.guard import is_plain
from domain.jobs.job import Job, Succeeded
from headrace import (
    Backoff,
    Fail,
    Handler,
    JobContext,
    JobType,
    Policy,
    Retry,
    Stopped,
    SyncJobContext,
    job_type,
)
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import queued
from tests.unit.authoring import written_with_strings

Given = TypeVar("Given", bound=Callable[..., object])


class Document(BaseModel):
    """The payload."""

    text: str = ""


class Count(BaseModel):
    """The result."""

    words: int = 0


class Other(BaseModel):
    """Another model."""


class Either(RootModel[Count | Other]):
    """A model that can be one of two."""


Ending: TypeAlias = Count | Retry
Lazy = TypeAliasType("Lazy", Annotated[Count, "in an alias"] | Fail)


@job_type("text.counted", max_attempts=3, timeout=timedelta(seconds=10))
async def counted(document: Document, context: JobContext) -> Count | Retry | Fail | Stopped:
    """Count the words of a text.

    Words are what white space parts.
    """
    return Count(words=len(document.text.split()) * context.attempt)


@job_type("text.counted_alone")
async def counted_alone(document: Document) -> Count:
    """Count the words of a text."""
    return Count(words=len(document.text.split()))


@job_type("text.counted_plainly")
def counted_plainly(document: Document, context: SyncJobContext) -> Count | Fail:
    """Count the words of a text."""
    return Count(words=len(document.text.split()) * context.attempt)


@job_type("text.counted_plainly_alone")
def counted_plainly_alone(document: Document) -> Count:
    """Count the words of a text."""
    return Count(words=len(document.text.split()))


HANDLERS: tuple[Handler, ...] = (counted, counted_alone, counted_plainly, counted_plainly_alone)


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda each: each.definition.name)
async def test_each_form_of_a_function_runs_as_a_job(handler: Handler) -> None:
    clock, jobs = FakeClock(), FakeJobRepository()
    job = queued(now=clock(), type=handler.definition.name, payload=JsonText('{"text":"a b c"}'))
    await jobs.add(Change(job), clock())
    executor = JobExecutor(jobs, Catalogue(HANDLERS), clock, lambda: "fresh", lambda: 0.5, {})
    await executor.execute(job, clock() + timedelta(minutes=5))
    ended = await jobs.get(job.id, clock())
    assert isinstance(ended, Job)
    assert isinstance(ended.state, Succeeded)
    assert ended.state.result == '{"words":3}'


def test_a_plain_function_runs_in_a_thread_and_an_async_one_on_the_loop() -> None:
    assert [is_plain(handler) for handler in HANDLERS] == [False, False, True, True]


async def test_a_decorated_function_is_called_like_the_function() -> None:
    assert await counted_alone(Document(text="a b")) == Count(words=2)
    assert counted_plainly_alone(Document(text="a b")).words == 2


def test_a_decorated_function_keeps_its_name_its_documentation_and_its_signature() -> None:
    assert counted.__name__ == "counted"
    assert str(counted.__doc__).startswith("Count the words")
    assert inspect.iscoroutinefunction(counted.__wrapped__)
    assert tuple(inspect.signature(counted).parameters) == ("document", "context")


def test_the_definition_says_what_the_decorator_and_the_annotations_say() -> None:
    assert counted.definition == JobType[BaseModel, BaseModel](
        name="text.counted",
        summary="Count the words of a text",
        payload=Document,
        result=Count,
        policy=Policy(max_attempts=3, timeout=timedelta(seconds=10)),
    )


def test_each_argument_of_the_decorator_arrives_in_the_definition() -> None:
    policy = Policy(
        max_attempts=2,
        timeout=timedelta(seconds=3),
        backoff=Backoff(base=timedelta(seconds=4)),
        retention=timedelta(days=5),
        max_age=timedelta(days=6),
        concurrency=7,
    )
    given: Handler = job_type(
        "a.b", payload_version=2, upcasts={1: dict}, aliases=("a.old",), settings=("SHOP_URL",), **dict(policy)
    )(counted_alone.__wrapped__)  # type: ignore[arg-type]
    assert given.definition.policy == policy
    assert (given.definition.payload_version, given.definition.settings) == (2, ("SHOP_URL",))
    assert (given.definition.upcasts, given.definition.aliases) == ({1: dict}, ("a.old",))


def test_what_the_decorator_does_not_say_is_as_in_the_policy() -> None:
    assert counted_alone.definition.policy == Policy()


def test_annotations_may_be_strings() -> None:
    definition = written_with_strings.shorten.definition
    assert (definition.payload, definition.result) == (written_with_strings.Text, written_with_strings.Short)


def made(function: Callable[..., object]) -> JobType[BaseModel, BaseModel]:
    """The definition that is made of `function`, whatever its type checker says of it."""
    return job_type("a.name")(function).definition  # type: ignore[arg-type]


async def aliased(document: "Annotated[Document, 'of a user']") -> Ending:
    """Do it."""
    raise NotImplementedError(document)


async def lazily_aliased(document: Document) -> Lazy:
    """Do it."""
    raise NotImplementedError(document)


async def optional(document: Optional[Document]) -> Union[Count, Fail]:  # noqa: UP007, UP045 - as people write it
    """Do it."""
    raise NotImplementedError(document)


async def unannotated_context(document: Document, context) -> Annotated[Count | Stopped, "documented"]:  # type: ignore[no-untyped-def]
    """Do it."""
    raise NotImplementedError(document, context)


FUNCTIONS = (aliased, lazily_aliased, optional, unannotated_context)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__name__)
def test_models_are_found_behind_aliases_unions_and_annotated(function: Callable[..., object]) -> None:
    assert (made(function).payload, made(function).result) == (Document, Count)


def test_a_model_of_several_models_is_one_result() -> None:
    def either(document: Document) -> Either:
        """Do it."""
        raise NotImplementedError(document)

    assert made(either).result is Either


def test_a_function_that_another_decorator_wraps_runs_as_what_it_wraps() -> None:
    def traced(function: Given) -> Given:
        @functools.wraps(function)
        def called(*args: object) -> object:
            return function(*args)

        return called  # type: ignore[return-value]

    wrapped: Handler = job_type("a.name")(traced(counted_alone.__wrapped__))  # type: ignore[arg-type]
    assert not is_plain(wrapped)
    assert made(traced(counted_plainly.__wrapped__)).result is Count


def test_errors_are_exposed_unless_the_type_says_otherwise() -> None:
    async def check(document: Document) -> Count:
        """Check."""
        return Count()

    assert job_type("a.b")(check).definition.policy.expose_errors
    assert not job_type("a.b", expose_errors=False)(check).definition.policy.expose_errors
