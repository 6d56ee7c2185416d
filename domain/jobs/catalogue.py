"""The registered job types, by name."""

from collections.abc import Iterable

from headrace.authoring.job_type import AnyJobType, Handler, Policy


class DuplicateJobType(ValueError):
    """Two job types claim one name, or alias: a mistake in the registration, found at start."""


class Catalogue:
    """The registered job types, by name and by alias.

    `own` are Headrace's own: they run as all others do, and are neither listed nor accepted from clients.
    """

    def __init__(self, handlers: Iterable[Handler], own: Iterable[Handler] = ()) -> None:
        self._handlers: dict[str, Handler] = {}
        self._own = {handler.definition.name: handler for handler in own}
        for handler in handlers:
            for name in handler.definition.names:
                if name in self._handlers:
                    raise DuplicateJobType(_doubled(name, self._handlers[name], handler))
                if name in self._own:
                    raise DuplicateJobType(f"called {name}, which is the name of one of Headrace's own")
                self._handlers[name] = handler

    def with_own(self, own: Handler) -> "Catalogue":
        """The same job types, with this handler in place of the one of Headrace's own that has its name."""
        others = {handler.definition.name: handler for handler in self._handlers.values()}
        return Catalogue(others.values(), (self._own | {own.definition.name: own}).values())

    def names(self) -> tuple[str, ...]:
        """The name of every job type, in alphabetical order, without aliases and without Headrace's own."""
        return tuple(sorted({handler.definition.name for handler in self._handlers.values()}))

    def definition(self, name: str) -> AnyJobType | None:
        """The definition registered under `name`, for clients."""
        handler = self._handlers.get(name)
        return handler.definition if handler else None

    def handler(self, name: str) -> Handler | None:
        """The handler registered under `name`, or Headrace's own."""
        return self._handlers.get(name) or self._own.get(name)

    def policy(self, name: str) -> Policy:
        """The policy of a type; the default for a name that is no longer (or not yet) known here."""
        handler = self.handler(name)
        return handler.definition.policy if handler else Policy()


def _doubled(name: str, one: Handler, other: Handler) -> str:
    first, second = one.definition.name, other.definition.name
    return f"registered twice: {name}" if first == second else f"{first} and {second}, which both claim the name {name}"
