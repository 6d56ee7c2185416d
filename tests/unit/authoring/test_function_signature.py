"""What `@job_type` refuses, with a sentence that names the function and says what to write instead."""

import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import timedelta

import pytest
from pydantic import BaseModel

from headrace import Fail, InvalidJobType, JobContext, Retry, SyncJobContext, job_type
from headrace.authoring.job_function import JobTypeDecorator

# What a refused function does is of no matter.
# mypy: disable-error-code="empty-body"


class Document(BaseModel):
    """The payload."""


class Count(BaseModel):
    """The result."""


class Other(BaseModel):
    """Another model."""


def counted(document: Document) -> Count:
    """Do it."""


def no_annotation(document) -> Count:  # type: ignore[no-untyped-def]
    """Do it."""


def a_dict(document: dict[str, str]) -> Count:
    """Do it."""


def a_number(document: int) -> Count:
    """Do it."""


def the_base(document: BaseModel) -> Count:
    """Do it."""


def two_payloads(document: Document | Other) -> Count:
    """Do it."""


def no_return(document: Document):  # type: ignore[no-untyped-def]
    """Do it."""


def returns_none(document: Document) -> None:
    """Do it."""


def may_return_none(document: Document) -> Count | None:
    """Do it."""


def returns_a_dict(document: Document) -> dict[str, int] | Fail:
    """Do it."""


def only_fails(document: Document) -> Retry | Fail:
    """Do it."""


def two_results(document: Document) -> Count | Other | Fail:
    """Do it."""


def returns_an_awaitable(document: Document) -> Awaitable[Count]:
    """Do it."""


def returns_a_coroutine(document: Document) -> Coroutine[None, None, Count]:
    """Do it."""


def undocumented(document: Document) -> Count:
    return Count()


def no_parameters() -> Count:
    """Do it."""


def three_parameters(document: Document, context: SyncJobContext, more: int = 1) -> Count:
    """Do it."""


def by_keyword(document: Document, *, context: SyncJobContext) -> Count:
    """Do it."""


def any_number(*documents: Document) -> Count:
    """Do it."""


async def with_the_context_of_a_thread(document: Document, context: SyncJobContext) -> Count:
    """Do it."""


def with_the_context_of_the_loop(document: Document, context: JobContext) -> Count:
    """Do it."""


def unknown_name(document: "Documnt") -> Count:  # type: ignore[name-defined]  # noqa: F821
    """Do it."""


def unreadable(document: "Document |") -> Count:  # type: ignore[valid-type]  # noqa: F722
    """Do it."""


def generates(document: Document) -> Iterator[Count]:
    """Do it."""
    yield Count()


async def generates_asynchronously(document: Document):  # type: ignore[no-untyped-def]
    """Do it."""
    yield Count()


class AClass:
    """Is no function."""

    def a_method(self, document: Document) -> Count:
        """Do it."""

    @staticmethod
    def a_static_method(document: Document) -> Count:
        """Do it."""


A_MODEL = "a pydantic model (a class of yours that inherits from `BaseModel`)"
REFUSED: dict[Callable[..., object], str] = {
    no_annotation: f"does not say what `document` is; annotate it with {A_MODEL}",
    a_dict: f"takes dict[str, str] as its payload; annotate `document` with {A_MODEL}",
    a_number: f"takes int as its payload; annotate `document` with {A_MODEL}",
    the_base: f"takes BaseModel as its payload; annotate `document` with {A_MODEL}",
    two_payloads: f"takes Document | Other as its payload; annotate `document` with {A_MODEL}",
    no_return: f"does not say what it returns; write `-> YourResult`, {A_MODEL}",
    returns_none: (
        f"may return None, which is no result; return {A_MODEL}, without fields where there is nothing to say"
    ),
    may_return_none: (
        f"may return None, which is no result; return {A_MODEL}, without fields where there is nothing to say"
    ),
    returns_a_dict: f"returns dict[str, int]; return {A_MODEL} instead, beside Retry, Fail and Stopped",
    only_fails: f"returns Retry | Fail and no result; add {A_MODEL}: `-> YourResult | Retry | Fail`",
    two_results: "returns one of 2 results, Count | Other; declare one model that can say each of them",
    returns_an_awaitable: (
        "returns collections.abc.Awaitable[tests.unit.authoring.test_function_signature.Count];"
        " write it with `async def`, and annotate what it comes to"
    ),
    returns_a_coroutine: (
        "returns collections.abc.Coroutine[None, None, tests.unit.authoring.test_function_signature.Count];"
        " write it with `async def`, and annotate what it comes to"
    ),
    undocumented: (
        "has no docstring, whose first line is the job type's summary;"
        ' write what a job of it does, for who submits one: """Count the words of a text."""'
    ),
    no_parameters: "takes (); write its parameters as (payload) or (payload, context)",
    three_parameters: "takes (document, context, more=1); write its parameters as (payload) or (payload, context)",
    by_keyword: "takes (document, *, context); write its parameters as (payload) or (payload, context)",
    any_number: "takes (*documents); write its parameters as (payload) or (payload, context)",
    with_the_context_of_a_thread: ("is `async` and takes a SyncJobContext; take a JobContext, and await its calls"),
    with_the_context_of_the_loop: (
        "is a plain function and takes a JobContext, whose calls it cannot await;"
        " take a SyncJobContext, or write `async def`"
    ),
    unknown_name: (
        "has an annotation that cannot be read: name 'Documnt' is not defined;"
        " define or import it at the module's top level, not in a function or under `if TYPE_CHECKING:`"
    ),
    generates: "is a generator; return one result instead of `yield`",
    generates_asynchronously: "is a generator; return one result instead of `yield`",
    AClass.a_method: (
        "is a method, which nothing gives its instance;"
        " move it out of its class, or write a class with `definition = JobType(…)` and `run`"
    ),
    AClass.a_static_method: (
        "is a method, which nothing gives its instance;"
        " move it out of its class, or write a class with `definition = JobType(…)` and `run`"
    ),
}


def refusal(decorator: JobTypeDecorator, function: Callable[..., object]) -> str:
    with pytest.raises(InvalidJobType) as refused:
        decorator(function)  # type: ignore[arg-type]
    return str(refused.value)


@pytest.mark.parametrize("function", REFUSED, ids=lambda each: each.__name__)
def test_a_function_that_cannot_be_a_job_type_is_refused_with_what_to_write(function: Callable[..., object]) -> None:
    code = function.__code__
    where = f"{__name__}.{function.__qualname__} ({code.co_filename}:{code.co_firstlineno})"
    assert refusal(job_type("a.name"), function) == f"{where} {REFUSED[function]}"


def test_an_annotation_that_is_no_python_is_refused() -> None:
    said = refusal(job_type("a.name"), unreadable)
    assert said.startswith(f"{__name__}.unreadable (")
    assert "has an annotation that cannot be read: " in said


def test_a_lambda_is_refused() -> None:
    said = refusal(job_type("a.name"), lambda _: Count())
    assert "<lambda> (" in said
    assert said.endswith(" is a lambda, which has no annotations; write it with `def`")


def test_a_class_is_refused() -> None:
    assert refusal(job_type("a.name"), AClass) == (
        f"{__name__}.AClass is a class, and @job_type is for functions;"
        " give it `definition = JobType(…)` and `run`, and put an instance into JOB_TYPES"
    )


def test_a_bound_method_is_refused() -> None:
    assert "a_method" in refusal(job_type("a.name"), AClass().a_method)


def test_what_is_no_function_is_refused() -> None:
    said = refusal(job_type("a.name"), functools.partial(undocumented))
    assert said.endswith("is no function; decorate one that is written with `def` or `async def`")


def test_a_decorator_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidJobType, match=r'undocumented \(.*\) is decorated without a name; write `@job_type\("'):
        job_type(undocumented)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "CSV", "a..b", "count words", "1a", "a" * 65])
def test_a_bad_name_is_refused(name: str) -> None:
    assert refusal(job_type(name), counted).endswith(
        f" is named {name!r};"
        " a name is up to 64 lower-case letters, digits, `_`, in words joined by dots: `text.word_count`"
    )


OUT_OF_RANGE = {
    "max_attempts=0: input should be greater than or equal to 1": job_type("a.b", max_attempts=0),
    "max_attempts=101: input should be less than or equal to 100": job_type("a.b", max_attempts=101),
    "timeout=datetime.timedelta(0): input should be greater than 0 seconds": job_type("a.b", timeout=timedelta(0)),
    "retention=datetime.timedelta(days=-1): input should be greater than or equal to 0 seconds": job_type(
        "a.b", retention=timedelta(days=-1)
    ),
    "max_age=datetime.timedelta(0): input should be greater than 0 seconds": job_type("a.b", max_age=timedelta(0)),
    "concurrency=0: input should be greater than or equal to 1": job_type("a.b", concurrency=0),
    "payload_version=0: input should be greater than or equal to 1": job_type("a.b", payload_version=0),
    "settings='SHOP_URL': input should be a valid tuple": job_type("a.b", settings="SHOP_URL"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("said", OUT_OF_RANGE, ids=lambda said: said.partition(":")[0])
def test_an_argument_out_of_range_is_refused(said: str) -> None:
    refused = refusal(OUT_OF_RANGE[said], counted)
    assert refused.startswith(f"{__name__}.counted (")
    assert refused.endswith(f") has {said}")
