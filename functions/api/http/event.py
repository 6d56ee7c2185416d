"""Makes any API Gateway event readable for Mangum, whatever bytes a client sent.

Mangum encodes strings and parses the host before it calls the application, so an error there would bypass the
application's error handling.
"""

import base64
import re

Event = dict[str, object]
"""Payload format 2.0: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs"."""

_PARSED = {
    "host": re.compile(r"[^:\s]+(?::[0-9]{1,5})?", re.ASCII),
    "x-forwarded-port": re.compile(r"[0-9]{1,5}", re.ASCII),
}
"""The headers that Mangum parses, and the forms that it can parse."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def readable(event: Event) -> Event:
    """Replace lone surrogates in the event by U+FFFD, and drop headers that Mangum cannot parse.

    The grammars of the headers that the application reads do not permit U+FFFD, so it refuses such a value. A body
    with lone surrogates becomes bytes that are not UTF-8, and is refused as such.
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
