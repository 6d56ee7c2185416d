"""API Gateway's event as Mangum can read it, whatever bytes a client sent.

Mangum encodes texts and parses the host before the application is asked, so what fails there gets no answer of ours.
"""

import base64
import re

Event = dict[str, object]
"""Payload format 2.0: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs"."""

_PARSED = {
    "host": re.compile(r"[^:\s]+(?::[0-9]{1,5})?", re.ASCII),
    "x-forwarded-port": re.compile(r"[0-9]{1,5}", re.ASCII),
}
"""What Mangum parses, and the forms that it can parse."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def readable(event: Event) -> Event:
    """The event with what is not Unicode replaced by U+FFFD, and without a host that Mangum cannot parse.

    No grammar of a header that the application reads admits U+FFFD, so such a value is refused there. A body that is
    not Unicode becomes bytes that are not UTF-8, and is refused as those are.
    """
    known = {name: value if name == "body" else _unicode(value) for name, value in event.items()}
    headers = known.get("headers")
    if isinstance(headers, dict):
        known["headers"] = {name: value for name, value in headers.items() if _parses(name, value)}
    return known | _body(event.get("body"))


def _unicode(value: object) -> object:
    match value:
        case str():
            return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
        case dict():
            return {_unicode(name): _unicode(member) for name, member in value.items()}
        case list():
            return [_unicode(member) for member in value]
        case _:
            return value


def _parses(name: object, value: object) -> bool:
    form = _PARSED.get(str(name).lower())
    return form is None or form.fullmatch(str(value)) is not None


def _body(body: object) -> Event:
    if not isinstance(body, str) or _SURROGATE.search(body) is None:
        return {}
    raw = body.encode(errors="surrogatepass")
    return {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
