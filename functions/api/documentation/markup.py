"""HTML that is built of elements, so that every text in it is escaped."""

import html
import re
from collections.abc import Iterable, Sequence

_VOID = frozenset({"input", "link", "meta"})
"""Elements that have no end tag."""
_CODE = re.compile(r"`([^`]+)`")


class Html(str):
    """Markup, as opposed to a text that has to be escaped before it is put into a page."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | bool) -> Html:
    """One element. Children that are not `Html` are texts; an attribute is left out when it is False.

    An attribute's name has hyphens for underscores, and none at its end: `class_`, `aria_label`.
    """
    opened = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Html(opened if name in _VOID else f"{opened}{joined(*children)}</{name}>")


def joined(*children: str) -> Html:
    """The children one after the other."""
    return Html("".join(child if isinstance(child, Html) else html.escape(child) for child in children))


def separated(separator: str, parts: Iterable[Html]) -> Html:
    """The parts, with the separator between each two of them."""
    return joined(*[part for each in parts for part in (separator, each)][1:])


def raw_element(name: str, content: str, /) -> Html:
    """A `style` or a `script`, whose content HTML does not escape; raises ValueError if it would end it early."""
    if "</" in content or "<!--" in content:
        raise ValueError(f"the content of <{name}> contains markup")
    return Html(f"<{name}>{content}</{name}>")


def prose(text: str) -> Html:
    """Paragraphs of a docstring, with `code` in back quotes."""
    paragraphs = (paragraph for paragraph in text.split("\n\n") if paragraph.strip())
    return joined(*(element("p", inline(" ".join(paragraph.split()))) for paragraph in paragraphs))


def inline(text: str) -> Html:
    """A text with `code` in back quotes."""
    parts = _CODE.split(text)
    return joined(*(element("code", part) if place % 2 else part for place, part in enumerate(parts)))


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Html:
    """A table, which scrolls by itself where the window is narrower."""
    head = element("thead", element("tr", *(element("th", heading, scope="col") for heading in headings)))
    body = element("tbody", *(element("tr", *(element("td", cell) for cell in row)) for row in rows))
    return element("div", element("table", head, body), class_="wide")


def _attribute(key: str, value: str | bool) -> str:
    if value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(value)}"'
