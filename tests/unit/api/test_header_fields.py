"""Headers that are lists, parsed as RFC 9110 and RFC 7240 define them."""

import time

import pytest

from functions.api.http.header_fields import EntityTag, delta_seconds, entity_tags, preferences


def strong(*tags: str) -> tuple[EntityTag, ...]:
    return tuple(EntityTag(opaque=tag, weak=False) for tag in tags)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("*", "*"),
        (" *\t", "*"),
        ('"1"', strong("1")),
        ('"9", "1"', strong("9", "1")),
        ('"9","1"', strong("9", "1")),
        (' ,"9" ,, "1", ', strong("9", "1")),
        ('"a,b", "1"', strong("a,b", "1")),
        ('""', strong("")),
        ('"*"', strong("*")),
        ('"\\"', strong("\\")),
        ('W/"1"', (EntityTag(opaque="1", weak=True),)),
        ('"1", W/"2"', (EntityTag(opaque="1", weak=False), EntityTag(opaque="2", weak=True))),
        *((field, None) for field in ("", " ", ",", "1", '"1', '1"', '"1" "2"', '"1"x', 'w/"1"', 'W/ "1"', "W/",
                                      '"a b"', '*, "1"', '"1", *', "**", "'1'", '"1"; x', '"\x7f"')),
    ],
)  # fmt: skip
def test_entity_tags_are_parsed(field: str, expected: object) -> None:
    assert entity_tags(field) == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("wait=5", {"wait": "5"}),
        ("Wait=1", {"wait": "1"}),
        ("WAIT = 1", {"wait": "1"}),
        ('wait="7"', {"wait": "7"}),
        ('wait="\\7"', {"wait": "7"}),
        ("wait", {"wait": ""}),
        ('wait=""', {"wait": ""}),
        ("respond-async, wait=10", {"respond-async": "", "wait": "10"}),
        ("wait=1, wait=9", {"wait": "1"}),
        ("wait=x, WAIT=9", {"wait": "x"}),
        ('foo="a, wait=2"', {"foo": "a, wait=2"}),
        ('foo="\\", wait=2"', {"foo": '", wait=2'}),
        ("foo; wait=3", {"foo": ""}),
        ('foo=1; bar ; baz = "q;," ;; , wait=3', {"foo": "1", "wait": "3"}),
        (",, wait=1,", {"wait": "1"}),
        ("await=5", {"await": "5"}),
        *((field, {}) for field in ("", " ", ",", 'foo="a, wait=2', "wait=5 6", "wait=1, =2", "wait=(1)", "wait=1/2",
                                    "wait=\xff", "wait==1", "wait=1;=2")),
    ],
)  # fmt: skip
def test_preferences_are_parsed(field: str, expected: dict[str, str]) -> None:
    assert preferences(field) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("20", 20), ("007", 7), ("9" * 5000, 10**9), ("0" * 5000, 0),
     *((text, None) for text in ("", "-1", "+1", "1.5", "1e3", " 1", "٣", "²", "x"))],
)  # fmt: skip
def test_a_number_of_seconds_is_read(text: str, expected: int | None) -> None:
    assert delta_seconds(text) == expected


@pytest.mark.parametrize(
    "field",
    ['"' * 200_000, "," * 200_000, ";" * 200_000, "a" + ";  " * 100_000 + "\x00", 'a="' + "\\" * 200_001,
     "a=" * 100_000, "a" + " " * 200_000 + "\x00", 'W/"' * 100_000, '"a",' * 50_000 + "x"],
)  # fmt: skip
def test_reading_takes_linear_time(field: str) -> None:
    began = time.process_time()
    entity_tags(field)
    preferences(field)
    assert time.process_time() - began < 2
