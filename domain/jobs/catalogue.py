"""The registered job types, by name."""

from collections.abc import Iterable

from headrace.authoring.job_type import AnyJobType, Handler, Policy


class DuplicateJobType(ValueError):
    """Two job types claim one name, or alias: a mistake in the registration, found at start."""


class Catalogue:
    """The registered job types, by name and by alias."""

    def __init__(self, handlers: Iterable[Handler]) -> None:
        self._handlers: dict[str, Handler] = {}
        for handler in handlers:
            for name in handler.definition.names:
                if name in self._handlers:
                    raise DuplicateJobType(_doubled(name, self._handlers[name], handler))
                self._handlers[name] = handler

    def names(self) -> tuple[str, ...]:
        """The name of every job type, in alphabetical order, without aliases."""
        return tuple(sorted({handler.definition.name for handler in self._handlers.values()}))

    def definition(self, name: str) -> AnyJobType | None:
        """The definition registered under `name`."""
        handler = self._handlers.get(name)
        return handler.definition if handler else None

    def handler(self, name: str) -> Handler | None:
        """The handler registered under `name`."""
        return self._handlers.get(name)

    def policy(self, name: str) -> Policy:
        """The policy of a type; the default for a name that is no longer (or not yet) known here."""
        definition = self.definition(name)
        return definition.policy if definition else Policy()


def _doubled(name: str, one: Handler, other: Handler) -> str:
    first, second = one.definition.name, other.definition.name
    return f"registered twice: {name}" if first == second else f"{first} and {second}, which both claim the name {name}"
