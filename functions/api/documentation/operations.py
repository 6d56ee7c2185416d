"""How an operation is shown: what it takes, what it answers, how to call it."""

from collections.abc import Iterator, Mapping

from functions.api.documentation.description import Call, Content, Response, Schema
from functions.api.documentation.examples import command, example_body
from functions.api.documentation.forms import call_form
from functions.api.documentation.markup import Html, element, joined, prose, separated, table
from functions.api.documentation.schemas import notes, required_mark, type_of

_FIRST_REFUSAL = "400"


def operation_section(call: Call, schemas: Mapping[str, Schema]) -> Html:
    """One operation; its anchor is its id."""
    operation, body = call.operation, example_body(call, schemas)
    access = "needs a token" if operation.security else "open to anyone"
    return element(
        "article",
        element("h3", element("a", method_mark(call), " ", element("code", call.path), href=f"#{operation.id}")),
        element("p", operation.summary, " · ", access, class_="summary"),
        prose(operation.description),
        *_parameters(call),
        *_request_body(call),
        *_responses(operation.responses),
        element("h4", "Call it"),
        element("pre", element("code", command(call, body), class_="curl")),
        call_form(call, body),
        id=operation.id,
    )


def method_mark(call: Call) -> Html:
    """The method, in its colour."""
    return element("span", call.method, class_=f"method {call.method.lower()}")


def _parameters(call: Call) -> Iterator[Html]:
    rows = [
        (
            joined(element("code", each.name), required_mark(each.required)),
            each.place,
            type_of(each.schema_.without_null()),
            notes(each.schema_, each.description),
        )
        for each in call.operation.parameters
    ]
    if rows:
        yield element("h4", "Parameters")
        yield table(("Name", "In", "Type", "Meaning"), rows)


def _request_body(call: Call) -> Iterator[Html]:
    if call.operation.body:
        yield element("h4", "Request body")
        yield element("p", _contents(call.operation.body.content))


def _responses(responses: Mapping[str, Response]) -> Iterator[Html]:
    """What succeeds, and the refusals below the body that they have."""
    fine = [each for each in responses.items() if each[0] < _FIRST_REFUSAL]
    yield element("h4", "Responses")
    rows = [
        (element("code", status), response.meaning(status), _contents(response.content)) for status, response in fine
    ]
    yield table(("Status", "Meaning", "Body"), rows)
    refusals: dict[Html, list[Html]] = {}
    for status, response in sorted(responses.items()):
        if status >= _FIRST_REFUSAL:
            refusal = element("span", element("code", status), " ", response.meaning(status))
            refusals.setdefault(_contents(response.content), []).append(refusal)
    if refusals:
        yield element("h4", "Refusals")
        yield table(("Body", "Status"), [(body, separated(", ", each)) for body, each in refusals.items()])


def _contents(content: Mapping[str, Content]) -> Html:
    """The schema of each media type; JSON, problem documents included, is not named."""
    shown = (
        joined(type_of(each.schema_), "" if media.endswith("json") else f" as {media}")
        for media, each in content.items()
    )
    return separated(" or ", shown) if content else joined("none")
