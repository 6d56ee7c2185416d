"""Parses and formats times in requests and responses: the date-time of RFC 3339, section 5.6, and nothing else.

pydantic alone accepts far more: digits as seconds since 1970, dates without a time, times without seconds.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, BeforeValidator, PlainSerializer, WithJsonSchema

_MAX_LENGTH: Final = 64
_HOUR_MINUTE = r"(?:[01]\d|2[0-3]):[0-5]\d"
_DATE_TIME = re.compile(
    rf"(\d{{4}}-\d{{2}}-\d{{2}})[Tt]({_HOUR_MINUTE}:[0-5]\d)(?:\.(\d+))?(?:([Zz])|([+-]{_HOUR_MINUTE}))", re.ASCII
)


def read_time(text: str) -> datetime:
    """Parse a time and keep its offset; raises `ValueError` with a message for the client.

    As in the RFC, `T` and `Z` may be lower case. A fraction is cut to microseconds. A leap second (`:60`), hour 24
    and a time outside the years 1 to 9999 in UTC are refused.
    """
    found = _DATE_TIME.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if found is None:
        raise ValueError("must be an RFC 3339 date and time with seconds and an offset, like 2026-12-01T09:30:00+01:00")
    date, time, fraction, utc, offset = found.groups()
    microseconds = (fraction or "0")[:6].ljust(6, "0")
    try:
        moment = datetime.fromisoformat(f"{date}T{time}.{microseconds}{'+00:00' if utc else offset}")
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such date, time or offset") from None
    return moment


def _read(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be an RFC 3339 date and time with an offset, as a string")  # noqa: TRY004 - pydantic's
    return read_time(value)


_DateTimeText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
MomentIn = Annotated[AwareDatetime, BeforeValidator(_read, json_schema_input_type=_DateTimeText)]
"""A time in a request: parsed by `read_time`, then validated by pydantic."""


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


Moment = Annotated[AwareDatetime, PlainSerializer(_rfc3339, return_type=str)]
"""A time in a response."""
