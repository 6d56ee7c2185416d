"""/: what a browser can open here."""

from pydantic import JsonValue

from functions.api.documentation.description import Description
from functions.api.documentation.markup import Html, element, prose
from functions.api.documentation.page import Page, page

_PLACES = (
    ("ui", "Jobs", "See how all is going: what runs, what waits, what failed and why; retry, cancel, submit."),
    ("docs", "API documentation", "Every operation and schema, with forms that send calls."),
    ("openapi.json", "OpenAPI document", "The same for programs: clients, mocks and tests can be made from it."),
    ("healthz", "Health", "Whether the API reaches its store."),
)
"""Relative, for a gateway may serve the API below a path."""


def index_page(document: dict[str, JsonValue]) -> Page:
    """The page at /."""
    info = Description.model_validate(document).info
    body = element(
        "main",
        element("h1", info.title, " ", element("small", info.version)),
        prose(info.description),
        element("ul", *(_place(*place) for place in _PLACES), class_="places"),
        class_="index",
    )
    return page(info.title, body)


def _place(href: str, name: str, purpose: str) -> Html:
    return element("li", element("a", name, href=href), element("p", purpose))
