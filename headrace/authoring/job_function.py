"""`@job_type`: makes a job type of one function."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from functools import update_wrapper
from types import MappingProxyType
from typing import Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from pydantic import BaseModel, ValidationError

from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.function_signature import AnyFunction, InvalidJobType, read_signature
from headrace.authoring.job_type import AnyJobType, JobType, LaneKey, Policy
from headrace.authoring.outcomes import Done, Fail, Retry, Stopped
from headrace.authoring.rate import Rate
from headrace.authoring.retry import Backoff
from headrace.authoring.upcasts import Upcast

Payload = TypeVar("Payload", bound=BaseModel)
Result = TypeVar("Result", bound=BaseModel)
Returned = TypeVar("Returned", bound=BaseModel)
Returned_co = TypeVar("Returned_co", bound=BaseModel, covariant=True)
Context = ParamSpec("Context")
"""What the function takes beside its payload: a context, or nothing."""

Form = Callable[[AnyJobType, AnyFunction, AnyFunction], object]

_USUAL = Policy()


class JobFunction(Generic[Payload, Context, Returned_co]):
    """A job type made of an `async` function: goes into JOB_TYPES, and is still called like the function."""

    __name__: str
    __wrapped__: AnyFunction

    def __init__(
        self,
        definition: AnyJobType,
        function: Callable[Concatenate[Payload, Context], Coroutine[None, None, Returned_co]],
        run: Callable[[Payload, JobContext], Coroutine[None, None, Returned_co]],
    ) -> None:
        update_wrapper(self, function)
        self._definition = definition
        self._function = function
        self._run = run

    @property
    def definition(
        self: "JobFunction[Payload, Context, Result | Done[Result] | Retry | Fail | Stopped]",
    ) -> "JobType[Payload, Result]":
        """What the decorator and the annotations say."""
        return cast("JobType[Payload, Result]", self._definition)

    async def run(self, payload: Payload, context: JobContext, /) -> Returned_co:
        """What a worker calls: the function, with the context if it takes one."""
        return await self._run(payload, context)

    def __call__(
        self, payload: Payload, /, *args: Context.args, **kwargs: Context.kwargs
    ) -> Coroutine[None, None, Returned_co]:
        """Call the function itself, for example in a test."""
        return self._function(payload, *args, **kwargs)


class SyncJobFunction(Generic[Payload, Context, Returned_co]):
    """A job type made of a plain function, which runs in a thread: likewise."""

    __name__: str
    __wrapped__: AnyFunction

    def __init__(
        self,
        definition: AnyJobType,
        function: Callable[Concatenate[Payload, Context], Returned_co],
        run: Callable[[Payload, SyncJobContext], Returned_co],
    ) -> None:
        update_wrapper(self, function)
        self._definition = definition
        self._function = function
        self._run = run

    @property
    def definition(
        self: "SyncJobFunction[Payload, Context, Result | Done[Result] | Retry | Fail | Stopped]",
    ) -> "JobType[Payload, Result]":
        """What the decorator and the annotations say."""
        return cast("JobType[Payload, Result]", self._definition)

    def run(self, payload: Payload, context: SyncJobContext, /) -> Returned_co:
        """What a worker calls: the function, with the context if it takes one."""
        return self._run(payload, context)

    def __call__(self, payload: Payload, /, *args: Context.args, **kwargs: Context.kwargs) -> Returned_co:
        """Call the function itself, for example in a test."""
        return self._function(payload, *args, **kwargs)


class JobTypeDecorator(Protocol):
    """What `job_type(…)` returns: takes `(payload)` or `(payload, context)`, `async` or plain."""

    @overload
    def __call__(
        self, function: Callable[[Payload, JobContext], Coroutine[None, None, Returned]], /
    ) -> JobFunction[Payload, [JobContext], Returned]: ...
    @overload
    def __call__(
        self, function: Callable[[Payload], Coroutine[None, None, Returned]], /
    ) -> JobFunction[Payload, [], Returned]: ...
    @overload
    def __call__(
        self, function: Callable[[Payload, SyncJobContext], Returned], /
    ) -> SyncJobFunction[Payload, [SyncJobContext], Returned]: ...
    @overload
    def __call__(self, function: Callable[[Payload], Returned], /) -> SyncJobFunction[Payload, [], Returned]: ...


def job_type(
    name: str,
    *,
    max_attempts: int = _USUAL.max_attempts,
    timeout: timedelta = _USUAL.timeout,
    backoff: Backoff = _USUAL.backoff,
    retention: timedelta = _USUAL.retention,
    max_age: timedelta = _USUAL.max_age,
    concurrency: int | None = _USUAL.concurrency,
    runner: str | None = _USUAL.runner,
    lane: str | LaneKey | None = _USUAL.lane,
    limit: int | None = _USUAL.limit,
    rate: Rate | None = _USUAL.rate,
    priority: int = _USUAL.priority,
    expose_errors: bool = _USUAL.expose_errors,
    payload_version: int = 1,
    upcasts: Mapping[int, Upcast] = MappingProxyType({}),
    aliases: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
) -> JobTypeDecorator:
    """Make a job type of a function: the models come from its annotations, the summary from its docstring.

    The arguments are those of `Policy` and `JobType`. What cannot work raises `InvalidJobType` at once, with a
    sentence that names the function.
    """
    if not isinstance(name, str):
        raise InvalidJobType(name, 'is decorated without a name; write `@job_type("text.word_count")`')

    def decorate(function: AnyFunction) -> object:
        signature = read_signature(function)
        try:
            policy = Policy(
                max_attempts=max_attempts,
                timeout=timeout,
                backoff=backoff,
                retention=retention,
                max_age=max_age,
                concurrency=concurrency,
                runner=runner,
                lane=lane,
                limit=limit,
                rate=rate,
                priority=priority,
                expose_errors=expose_errors,
            )
            definition = AnyJobType(
                name=name,
                summary=signature.summary,
                payload=signature.payload,
                result=signature.result,
                policy=policy,
                payload_version=payload_version,
                upcasts=upcasts,
                aliases=aliases,
                settings=settings,
            )
        except ValidationError as error:
            raise InvalidJobType(function, _refused(error)) from None
        # What a function is can be seen here only; the overloads of `JobTypeDecorator` say it to type checkers.
        form = cast("Form", JobFunction if signature.is_async else SyncJobFunction)
        return form(definition, function, function if signature.takes_context else _without_context(function))

    return cast("JobTypeDecorator", decorate)


def _without_context(function: AnyFunction) -> AnyFunction:
    return lambda payload, _context: function(payload)


def _refused(error: ValidationError) -> str:
    """The first argument that does not fit, and why."""
    flaw = error.errors(include_url=False)[0]
    if not flaw["loc"]:
        return f"makes a job type that cannot work: {flaw['ctx']['error']}"
    field, given = flaw["loc"][0], flaw["input"]
    if field == "name":
        why = "a name is up to 64 lower-case letters, digits, `_`, in words joined by dots: `text.word_count`"
        return f"is named {given!r}; {why}"
    return f"has {'.'.join(map(str, flaw['loc']))}={given!r}: {flaw['msg'][:1].lower()}{flaw['msg'][1:]}"
