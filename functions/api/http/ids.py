"""Checks ids in paths, so that an id that cannot exist is refused without a call to the database."""

import re

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Whether `text` is a UUID in its canonical form, as every id of a job or a user is."""
    return _ID.fullmatch(text) is not None
