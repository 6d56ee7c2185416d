"""The registered job types, by name."""

from collections.abc import Iterable

from headrace.authoring.job_type import AnyJobType, Handler, Policy


class DuplicateJobType(ValueError):
    """Two job types have one name: a mistake in the registration, found at start."""


class Catalogue:
    """The registered job types, by name."""

    def __init__(self, handlers: Iterable[Handler]) -> None:
        registered = tuple(handlers)
        names = [handler.definition.name for handler in registered]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise DuplicateJobType(f"registered twice: {', '.join(doubled)}")
        self._handlers = {handler.definition.name: handler for handler in registered}

    def names(self) -> tuple[str, ...]:
        """Every name, in alphabetical order."""
        return tuple(sorted(self._handlers))

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
