"""What the examples are written of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aws_durable_execution_sdk_python import DurableContext

Event = Mapping[str, str | int]
Json = dict[str, object]
Handler = Callable[[Event, DurableContext], Json]


@dataclass(frozen=True)
class Answer:
    """What somebody outside sends for a callback."""

    callback: str
    """The name of the callback, or of the `wait_for_callback` that makes it."""
    value: object = None
    failure: str | None = None
    heartbeats: int = 0
    """How many are sent first."""
    waited_for: bool = False
    """Whether it is one of `wait_for_callback`, which names the callback otherwise."""

    @property
    def name(self) -> str:
        """The callback's name."""
        return f"{self.callback} create callback id" if self.waited_for else self.callback
