"""Makes the result of a delivery from an answer: text that JSON can carry, within a number of stored bytes."""

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from headrace import json_size
from headrace.http.exchange import Headers

MAX_BODY_BYTES = 64 * 1024
"""Of a response's body: of what is read, and of the JSON string that is stored."""
MAX_HEADERS_BYTES = 16 * 1024
"""Of all response headers as they are stored, in JSON."""
MAX_HEADER_BYTES = 4 * 1024
"""Of one."""
MAX_HEADERS = 50
_MAX_NAME = 256

_CHARSET = re.compile(rb"""(?i);[ \t]*charset[ \t]*=[ \t]*["']?([A-Za-z0-9._:-]{1,40})""")
_MAX_CONTENT_TYPE = 1024
_CHARSETS = frozenset({
    "utf-8", "utf-8-sig", "ascii", "iso8859-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6",
    "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-10", "iso8859-11", "iso8859-13", "iso8859-14", "iso8859-15",
    "iso8859-16", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp866",
    "cp874", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "utf-16", "utf-16-le", "utf-16-be", "utf-32",
    "utf-32-le", "utf-32-be", "gbk", "gb2312", "gb18030", "big5", "big5hkscs", "euc_jp", "iso2022_jp", "shift_jis",
    "cp932", "euc_kr", "cp949",
})  # fmt: skip
"""Python's names of the character encodings of the web (https://encoding.spec.whatwg.org) and of UTF-32. Its other
codecs turn bytes into bytes (base64), fail whatever they are asked (idna, undefined), or make half characters (utf-7).
"""
_DELAY = re.compile(r"[0-9]+")
_LONGEST_DELAY = timedelta(seconds=10**9)
_MAX_DATE = 64


def text_of(body: bytes, headers: Headers, *, complete: bool) -> tuple[str, bool]:
    """The body as text, and whether it is the whole text; what cannot be decoded is replaced (U+FFFD)."""
    text = body.decode(_charset(headers), "replace")
    # Where the body was cut, its last character may be cut as well.
    kept = cut_to_json_bytes(text if complete else text.removesuffix("\ufffd"), MAX_BODY_BYTES)
    return kept, complete and kept == text


def text_headers(headers: Headers) -> tuple[dict[str, str], bool]:
    """The first headers by name, and whether these are all in full. Values of one name are joined by commas."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    kept = dict(_within_bytes(values))
    return kept, kept == {_text(name): _text(b", ".join(each)) for name, each in values.items()}


def _within_bytes(values: dict[bytes, list[bytes]]) -> Iterator[tuple[str, str]]:
    left = MAX_HEADERS_BYTES
    for name, each in list(values.items())[:MAX_HEADERS]:
        shown = _text(name[:_MAX_NAME])
        left -= json_bytes(shown)
        if left < 0:
            return
        value = cut_to_json_bytes(_text(b", ".join(each)), min(left, MAX_HEADER_BYTES))
        left -= json_bytes(value)
        yield shown, value


def first_header(headers: Headers, name: bytes) -> str | None:
    """The value of the first header of that name."""
    return next((_text(value) for other, value in headers if other == name), None)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _charset(headers: Headers) -> str:
    content_type = next((value for name, value in headers if name == b"content-type"), b"")
    match = _CHARSET.search(content_type[:_MAX_CONTENT_TYPE])
    try:
        name = codecs.lookup(match[1].decode()).name if match else "utf-8"
    except LookupError:
        return "utf-8"
    return name if name in _CHARSETS else "utf-8"


def json_bytes(text: str) -> int:
    """The bytes that `text` takes as a stored JSON string, its quotes not counted: a control character takes six."""
    return json_size(text) - 2


def cut_to_json_bytes(text: str, limit: int) -> str:
    """The longest beginning of `text` that takes at most `limit` bytes as a stored JSON string."""
    start = text[:limit]
    if json_bytes(start) <= limit:
        return start
    return start[: bisect_right(range(len(start) + 1), limit, key=lambda length: json_bytes(start[:length])) - 1]


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """RFC 9110, section 10.2.3: seconds, or a date; None for anything else. At most 10^9 seconds."""
    if value is None:
        return None
    asked = value.strip()
    if _DELAY.fullmatch(asked):
        return min(timedelta(seconds=int(asked[:12])), _LONGEST_DELAY)
    if len(asked) > _MAX_DATE or not asked.isascii():
        return None
    try:
        moment = parsedate_to_datetime(asked)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(aware - now, timedelta(0)), _LONGEST_DELAY)
    except (ValueError, OverflowError, TypeError, LookupError):
        # The standard library's parser promises ValueError alone, and raises the others as well.
        return None
