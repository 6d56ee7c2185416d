"""The pictures of a terminal show what a terminal of that size would."""

from scripts.terminal_screen import Size, page, rows


def shown(output: str, size: Size) -> list[str]:
    return ["".join(cell.sign for cell in row) for row in rows(output, size)]


def test_long_lines_wrap_and_the_last_rows_stay() -> None:
    assert shown("first\r\nsecond\r\n\r\nfourth", Size(4, 5)) == ["seco", "nd", "", "four", "th"]
    assert shown("one", Size(4, 2)) == ["one", ""]


def test_colours_take_no_room_and_end_where_they_are_reset() -> None:
    red, plain = rows("\x1b[31mred\x1b[0mred", Size(3, 2))
    assert {cell.colour for cell in red} == {"#f47067"}
    assert {cell.colour for cell in plain} == {None}
    assert '<span style="color: #f47067">r</span>' in page("\x1b[31mred\x1b[0m<", Size(4, 1))
    assert page("<", Size(4, 1)).endswith("&lt;   </pre>")
