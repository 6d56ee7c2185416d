"""The part of a response that http.request keeps."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.authoring.json_text import to_json_text
from headrace.http.answer import (
    MAX_BODY_BYTES,
    MAX_HEADERS_BYTES,
    cut_to_json_bytes,
    json_bytes,
    retry_after,
    text_headers,
    text_of,
)

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def body_text(body: bytes, charset: str) -> str:
    return text_of(body, ((b"content-type", f"text/plain; charset={charset}".encode()),), complete=True)[0]


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("utf-8", b"caf\xc3\xa9", "café"),
        ("ISO-8859-1", b"caf\xe9", "café"),
        ('"latin1"', b"caf\xe9", "café"),
        ("'windows-1252'", b"\x80", "€"),
        ("Shift_JIS", "日本".encode("shift_jis"), "日本"),
        ("utf-16le", "日本".encode("utf-16-le"), "日本"),
        ("us-ascii", b"caf\xe9", "caf\ufffd"),
    ],
)
def test_the_charset_is_honoured(charset: str, body: bytes, text: str) -> None:
    assert body_text(body, charset) == text


@pytest.mark.parametrize(
    "charset",
    ["base64", "rot13", "hex", "zip", "bz2", "quopri", "uu", "idna", "punycode", "undefined", "utf-7", "unicode_escape",
     "raw_unicode_escape", "mbcs", "oem", "nonsense", "", "../../x", "aliases", "\x00", "x" * 10_000, "\udce9".encode(
         "utf-8", "surrogateescape").decode("latin-1")],
)  # fmt: skip
def test_an_unknown_charset_is_read_as_utf_8(charset: str) -> None:
    assert body_text(b"caf\xc3\xa9 \\ud800 +2AA- \xff", charset) == "café \\ud800 +2AA- \ufffd"


@given(
    st.binary(max_size=400), st.sampled_from(["utf-8", "utf-16", "utf-32", "gb18030", "iso-2022-jp", "cp949", "big5"])
)
def test_any_bytes_are_text_that_json_can_carry(body: bytes, charset: str) -> None:
    to_json_text(body_text(body, charset))


@pytest.mark.parametrize("unit", [b"x", b"\x00", b"\xff", b'"', "é".encode(), "\U0001f600".encode(), b"\x1b", b"\\"])
def test_a_body_takes_no_more_than_its_bytes_of_json(unit: bytes) -> None:
    text, complete = text_of(unit * MAX_BODY_BYTES, (), complete=True)
    assert not complete or len(unit * MAX_BODY_BYTES) <= MAX_BODY_BYTES
    assert MAX_BODY_BYTES - 6 < json_bytes(text) <= MAX_BODY_BYTES


def test_a_character_that_the_cut_splits_is_left_out() -> None:
    assert text_of(b"a\xc3", (), complete=False) == ("a", False)


@given(st.text(max_size=50), st.integers(min_value=0, max_value=80))
def test_a_cut_text_is_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    kept = cut_to_json_bytes(text, limit)
    assert text.startswith(kept)
    assert len(json.dumps(kept, ensure_ascii=False).encode()) - 2 <= limit
    assert kept == text or json_bytes(text[: len(kept) + 1]) > limit


def test_headers_of_one_name_are_joined_and_invalid_text_is_replaced() -> None:
    headers, complete = text_headers(((b"a", b"1"), (b"b", b"caf\xe9"), (b"a", b"2")))
    assert (headers, complete) == ({"a": "1, 2", "b": "caf\ufffd"}, True)


@pytest.mark.parametrize("value", [b"x" * 300_000, b"\x01" * 100_000, b"\xff" * 5000])
def test_headers_take_no_more_than_their_bytes_of_json(value: bytes) -> None:
    headers, complete = text_headers(tuple((b"n%d" % number, value) for number in range(60)))
    assert not complete
    assert headers
    assert sum(json_bytes(name) + json_bytes(value) for name, value in headers.items()) <= MAX_HEADERS_BYTES


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", timedelta(0)),
        (" 120 ", timedelta(seconds=120)),
        ("soon", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1e3", None),
        ("\u0661", None),
        ("9" * 30, timedelta(seconds=10**9)),
        ("9" * 100_000, timedelta(seconds=10**9)),
        ("Mon, 23 Nov 2026 03:00:30 GMT", timedelta(seconds=30)),
        ("Mon, 23 Nov 2026 02:00:00 GMT", timedelta(0)),
        ("Mon, 23 Nov 2026 03:00:30", timedelta(seconds=30)),
        ("Monday, 23-Nov-26 03:00:30 GMT", timedelta(seconds=30)),
        ("Mon Nov 23 03:00:30 2026", timedelta(seconds=30)),
        ("Mon, 23 Nov 9999 03:00:30 GMT", timedelta(seconds=10**9)),
        ("Mon, 23 Nov 999999999999 03:00:30 GMT", None),
        ("Mon, 23 Nov 2026 03:00:30 +9999", None),
        ("Mon, 23 Nov 2026 03:00:30 -99999999999999999999", None),
        ("Mon, 32 Nov 2026 03:00:30 GMT", None),
        ("Mon, 23 Nov 2026 99:99:99 GMT", None),
        ("Mon, 23 Nov 0000 03:00:30 GMT", timedelta(0)),
        (",", None),
        ("\x00", None),
        ("Mon, 23 Nov 2026 03:00:30 GMT" + "x" * 100_000, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_otherwise_ignored(value: str | None, expected: timedelta | None) -> None:
    assert retry_after(value, NOW) == expected


@given(st.text(max_size=70) | st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,12} [\d:]{1,9} [+-]?\w{0,12}", fullmatch=True))
def test_no_retry_after_raises(value: str) -> None:
    assert isinstance(retry_after(value, NOW), timedelta | None)
