"""Job types for tests; the test provides the handler's function."""

from collections.abc import Awaitable, Callable, Mapping

from pydantic import BaseModel, ConfigDict

from headrace.authoring.context import JobContext
from headrace.authoring.job_type import AnyJobType, Handler, JobType, Policy
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.upcasts import Upcast


class Text(BaseModel):
    """The payload of a test's job."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""


class Count(BaseModel):
    """The result of a test's job."""

    words: int = 0


Returned = BaseModel | Retry | Fail | Stopped
Run = Callable[[Text, JobContext], Awaitable[Returned]]


async def count_words(document: Text, _context: JobContext) -> Count:
    return Count(words=len(document.text.split()))


class FakeHandler:
    """Runs a function of the test."""

    def __init__(self, definition: AnyJobType, run: Run) -> None:
        self.definition = definition
        self._run = run

    async def run(self, payload: BaseModel, context: JobContext) -> Returned:
        assert isinstance(payload, Text)
        return await self._run(payload, context)


def a_handler(
    name: str = "text.word_count",
    run: Run = count_words,
    policy: Policy | None = None,
    payload: type[BaseModel] = Text,
    settings: tuple[str, ...] = (),
    payload_version: int = 1,
    upcasts: Mapping[int, Upcast] | None = None,
    aliases: tuple[str, ...] = (),
) -> Handler:
    definition = JobType[BaseModel, BaseModel](
        name=name, summary="Counts words", payload=payload, result=Count, policy=policy or Policy(),
        settings=settings, payload_version=payload_version, upcasts=upcasts or {}, aliases=aliases,
    )  # fmt: skip
    return FakeHandler(definition, run)
