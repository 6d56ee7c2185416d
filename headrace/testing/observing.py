"""Observes handlers: notes what they raise, which production keeps only as type, message and frames."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import cast

from pydantic import BaseModel

from domain.jobs.catalogue import Catalogue
from domain.jobs.guard import is_plain
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import AnyJobType, Handler, why_no_job_type


def definition_of(handler: object) -> AnyJobType:
    """The definition of a job type; raises a `TypeError` with one sentence for anything else."""
    why = why_no_job_type(handler)
    if why is not None:
        raise TypeError(f"the handler {why}")
    return cast("Handler", handler).definition


def catalogue_of(handlers: Iterable[Handler]) -> Catalogue:
    """The catalogue of a test's job types; raises a `TypeError` likewise."""
    listed = tuple(handlers)
    for handler in listed:
        definition_of(handler)
    return Catalogue(listed)


def noting(handler: Handler, timeout: timedelta | None, errors: list[BaseException]) -> Handler:
    """The same job type, by its own or another timeout, which appends what it raises to `errors`."""
    definition = definition_of(handler)
    if timeout is not None:
        policy = definition.policy.model_copy(update={"timeout": timeout})
        definition = definition.model_copy(update={"policy": policy})
    wrapper = _Plain if is_plain(handler) else _Async
    return cast("Handler", wrapper(definition, cast("Callable[[BaseModel, object], object]", handler.run), errors))


def declared_settings(definition: AnyJobType, given: Mapping[str, str]) -> Mapping[str, str]:
    """The settings; raises for one that the job type does not declare, for in production it would be missing."""
    undeclared = sorted(given.keys() - set(definition.settings))
    if undeclared:
        names = ", ".join(repr(name) for name in (*definition.settings, *undeclared))
        raise ValueError(f"{definition.name} does not declare {undeclared[0]}; write settings=({names})")
    return given


class _Wrapped:
    def __init__(
        self, definition: AnyJobType, run: Callable[[BaseModel, object], object], errors: list[BaseException]
    ) -> None:
        self.definition = definition
        self._run = run
        self._errors = errors


class _Async(_Wrapped):
    async def run(self, payload: BaseModel, context: JobContext) -> object:
        try:
            return await cast("Awaitable[object]", self._run(payload, context))
        except BaseException as error:
            self._errors.append(error)
            raise


class _Plain(_Wrapped):
    def run(self, payload: BaseModel, context: SyncJobContext) -> object:
        try:
            return self._run(payload, context)
        except BaseException as error:
            self._errors.append(error)
            raise
