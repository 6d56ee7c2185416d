"""The form that sends a call. `page.js` shows it and sends it; without scripts it stays hidden."""

from collections.abc import Iterator

from functions.api.documentation.description import Call, Parameter, Schema
from functions.api.documentation.markup import Html, element, joined
from functions.api.documentation.schemas import required_mark


def call_form(call: Call, body: str | None) -> Html:
    """Fields for every parameter and the body, and a place for the answer."""
    operation = call.operation
    fields = [_field(operation.id, each) for each in operation.parameters]
    form = element(
        "form",
        *fields,
        *([_body_field(operation.id, body)] if body is not None else []),
        element("button", "Send", type="submit"),
        element("pre", class_="answer", role="status", aria_label="Answer", hidden=True),
        data_method=call.method,
        data_path=call.path,
        data_token=bool(operation.security),
        data_fills=" ".join(sorted(_filled_elsewhere(call))),
        autocomplete="off",
    )
    return element("details", element("summary", "Try it"), form, class_="try", hidden=True)


def _filled_elsewhere(call: Call) -> Iterator[str]:
    """Path parameters of other operations that are the `id` in this one's answer, as the document's links say."""
    for response in call.operation.responses.values():
        for link in response.links.values():
            yield from (name for name, source in link.parameters.items() if source == "$response.body#/id")


def _field(operation: str, parameter: Parameter) -> Html:
    anchor = f"{operation}-{parameter.name}"
    label = element("label", parameter.name, required_mark(parameter.required), for_=anchor)
    choices = _choices(parameter.schema_)
    if choices:
        options = [element("option", choice) for choice in ("", *choices)]
        control = element("select", *options, id=anchor, name=parameter.name, data_in=parameter.place)
    else:
        control = element(
            "input",
            id=anchor,
            name=parameter.name,
            data_in=parameter.place,
            required=parameter.required,
            spellcheck="false",
        )
    return joined(label, control)


def _choices(schema: Schema) -> tuple[str, ...]:
    enums = (schema.enum, *(variant.enum for variant in schema.variants))
    return tuple(str(value) for enum in enums for value in enum)


def _body_field(operation: str, body: str) -> Html:
    anchor, lines = f"{operation}-body", str(body.count("\n") + 2)
    area = element("textarea", f"\n{body}", id=anchor, data_in="body", rows=lines, spellcheck="false")
    return joined(element("label", "body", for_=anchor), area)
