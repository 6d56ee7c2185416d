"""/docs: every operation and every schema of the OpenAPI document on one page."""

from collections.abc import Mapping

from pydantic import JsonValue

from functions.api.documentation.description import Call, Description, Info, Schema
from functions.api.documentation.markup import Html, element, joined, prose
from functions.api.documentation.operations import method_mark, operation_section
from functions.api.documentation.page import Page, page
from functions.api.documentation.schemas import schema_anchor, schema_section

_SHELL = "API=https://…\nTOKEN=…  # on the local stack: TOKEN=$(headrace token you@example.com)"


def reference_page(document: dict[str, JsonValue]) -> Page:
    """The page of the whole document."""
    description = Description.model_validate(document)
    tags, schemas = description.by_tag(), description.components.schemas
    content = element(
        "main",
        _opening(description.info),
        _token_section(),
        *(_tag_section(tag, calls, schemas) for tag, calls in tags.items()),
        _schemas_section(schemas),
        id="content",
        tabindex="-1",
    )
    skip = element("a", "Skip to the content", href="#content", class_="skip")
    return page(f"{description.info.title} API", joined(skip, _navigation(tags, schemas), content), "page.js")


def _opening(info: Info) -> Html:
    return joined(
        element("h1", info.title, " API ", element("small", info.version)),
        prose(info.description),
        element("p", "For programs: ", _link("openapi.json"), ". Whether it runs: ", _link("healthz"), "."),
    )


def _link(path: str) -> Html:
    """Relative, for a gateway may serve the API below a path."""
    return element("a", path, href=path)


def _token_section() -> Html:
    """How to authenticate, and the field of the token that the forms send."""
    field = element(
        "p", element("label", "Token for the calls of this page ", for_="token"),
        element("input", id="token", type="password", autocomplete="off", spellcheck="false"),
        element("span", " Kept in this tab until it is closed or reloaded, and sent to this API alone."),
        id="token-field", hidden=True,
    )  # fmt: skip
    return element(
        "section",
        element("h2", "Authentication"),
        prose("Paths below `/v1` take a JSON Web Token of the identity provider: `Authorization: Bearer TOKEN`."),
        field,
        element("p", "The commands on this page use two shell variables:"),
        element("pre", element("code", _SHELL, id="shell")),
        id="authentication",
    )


def _tag_section(tag: str, calls: list[Call], schemas: Mapping[str, Schema]) -> Html:
    return element(
        "section", element("h2", tag), *(operation_section(call, schemas) for call in calls), id=_anchor(tag)
    )


def _schemas_section(schemas: Mapping[str, Schema]) -> Html:
    sections = (schema_section(name, schema) for name, schema in schemas.items())
    return element("section", element("h2", "Schemas"), *sections, id="schemas")


def _navigation(tags: Mapping[str, list[Call]], schemas: Mapping[str, Schema]) -> Html:
    entries = [(tag, _anchor(tag), [_operation_link(call) for call in calls]) for tag, calls in tags.items()]
    links = [element("li", element("a", name, href=f"#{schema_anchor(name)}")) for name in schemas]
    groups = [
        joined(element("h2", element("a", name, href=f"#{anchor}")), element("ul", *items))
        for name, anchor, items in (*entries, ("schemas", "schemas", links))
    ]
    return element("nav", *groups, aria_label="Operations and schemas")


def _operation_link(call: Call) -> Html:
    return element("li", element("a", method_mark(call), " ", call.path, href=f"#{call.operation.id}"))


def _anchor(tag: str) -> str:
    return f"tag-{tag.replace(' ', '-')}"
