"""`@job_type`: a job type written as one function."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from pydantic import BaseModel, ValidationError

from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import JobType, Policy
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.retry import Backoff
from headrace.authoring.signature import InvalidJobType, Signature, place_of, signature_of

P = TypeVar("P", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)
Args = ParamSpec("Args")

Returned: TypeAlias = R | Retry | Fail | Stopped
"""What a function with the result model `R` may return."""


class AsyncFunctionJobType(Generic[P, R, Args]):
    """A `JobHandler` made of one `async` function. Calling it calls the function, as a test does."""

    def __init__(
        self, definition: JobType[P, R], function: Callable[Args, Awaitable[Returned[R]]], *, takes_context: bool
    ) -> None:
        self.definition = definition
        self._call = function
        self._takes_context = takes_context
        update_wrapper(self, function)

    async def run(self, payload: P, context: JobContext, /) -> Returned[R]:
        """Do the work of one attempt, on the event loop."""
        call = cast("Callable[..., Awaitable[Returned[R]]]", self._call)
        return await (call(payload, context) if self._takes_context else call(payload))

    def __call__(self, *args: Args.args, **kwargs: Args.kwargs) -> Awaitable[Returned[R]]:
        return self._call(*args, **kwargs)


class FunctionJobType(Generic[P, R, Args]):
    """A `SyncJobHandler` made of one plain function. Calling it calls the function, as a test does."""

    def __init__(
        self, definition: JobType[P, R], function: Callable[Args, Returned[R]], *, takes_context: bool
    ) -> None:
        self.definition = definition
        self._call = function
        self._takes_context = takes_context
        update_wrapper(self, function)

    def run(self, payload: P, context: SyncJobContext, /) -> Returned[R]:
        """Do the work of one attempt, in a thread of its own."""
        call = cast("Callable[..., Returned[R]]", self._call)
        return call(payload, context) if self._takes_context else call(payload)

    def __call__(self, *args: Args.args, **kwargs: Args.kwargs) -> Returned[R]:
        return self._call(*args, **kwargs)


class _Declaration:
    """Makes a job type of the function below it."""

    def __init__(self, name: str, policy: Policy, version: int, settings: tuple[str, ...]) -> None:
        self._name = name
        self._policy = policy
        self._version = version
        self._settings = settings

    @overload
    def __call__(
        self, function: Callable[[P, JobContext], Awaitable[Returned[R]]]
    ) -> AsyncFunctionJobType[P, R, [P, JobContext]]: ...
    @overload
    def __call__(self, function: Callable[[P], Awaitable[Returned[R]]]) -> AsyncFunctionJobType[P, R, [P]]: ...
    @overload
    def __call__(
        self, function: Callable[[P, SyncJobContext], Returned[R]]
    ) -> FunctionJobType[P, R, [P, SyncJobContext]]: ...
    @overload
    def __call__(self, function: Callable[[P], Returned[R]]) -> FunctionJobType[P, R, [P]]: ...

    def __call__(self, function: Callable[..., object]) -> object:
        """Read the models from the function's annotations; raises `InvalidJobType` where that cannot be done."""
        signature = signature_of(function)
        definition = self._definition(function, signature)
        takes_context = signature.takes_context
        if inspect.iscoroutinefunction(function):
            return AsyncFunctionJobType(definition, function, takes_context=takes_context)
        plain = cast("Callable[..., Returned[BaseModel]]", function)
        return FunctionJobType(definition, plain, takes_context=takes_context)

    def _definition(self, function: Callable[..., object], signature: Signature) -> JobType[BaseModel, BaseModel]:
        try:
            return JobType[BaseModel, BaseModel](
                name=self._name,
                summary=signature.summary,
                payload=signature.payload,
                result=signature.result,
                policy=self._policy,
                version=self._version,
                settings=self._settings,
            )
        except ValidationError as error:
            raise InvalidJobType(f"{place_of(function)}: {_flaws(error)}") from None


def job_type(
    name: str,
    *,
    max_attempts: int | None = None,
    timeout: timedelta | None = None,
    backoff: Backoff | None = None,
    retention: timedelta | None = None,
    max_age: timedelta | None = None,
    concurrency: int | None = None,
    expose_errors: bool | None = None,
    version: int = 1,
    settings: tuple[str, ...] = (),
) -> _Declaration:
    """Declare the function below as the job type `name`; what is left out is as `Policy` and `JobType` have it.

    The payload model is the annotation of the first parameter, the result model the one model in the return
    annotation, the summary the first line of the docstring. A second parameter is the context: `JobContext` in an
    `async` function, `SyncJobContext` in a plain one, which runs in a thread.

    Raises `InvalidJobType` with a sentence that names the function, when the module is imported.
    """
    given = {
        "max_attempts": max_attempts,
        "timeout": timeout,
        "backoff": backoff,
        "retention": retention,
        "max_age": max_age,
        "concurrency": concurrency,
        "expose_errors": expose_errors,
    }
    try:
        policy = Policy.model_validate({field: value for field, value in given.items() if value is not None})
    except ValidationError as error:
        raise InvalidJobType(f"@job_type({name!r}): {_flaws(error)}") from None
    return _Declaration(name, policy, version, settings)


def _flaws(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(step) for step in flaw['loc'])}: {flaw['msg']}" for flaw in error.errors())
