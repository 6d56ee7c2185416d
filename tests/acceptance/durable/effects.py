"""The effects that handlers have in these tests: they are noted. Both sides import it, so that it imports nothing."""

MADE: list[str] = []
"""The names of the effects that were made since the test cleared it."""


def note(name: str) -> int:
    """Make an effect; returns how often it has been made."""
    MADE.append(name)
    return MADE.count(name)
