"""Requests and replies as data: what is sent, and what a reply says, without any I/O."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlencode

from headrace_client.errors import Flaw, NotHeadrace, Problem, refusal
from headrace_client.json_values import JsonObject, JsonValue, WrongForm, parsed

MAX_RESPONSE_BYTES = 8 * 1024 * 1024
"""Above Lambda's own limit of 6 MB for a response."""
_REDIRECTS = range(300, 400)
_SUCCESS = range(200, 300)
_NO_CONTENT, _TEMPORARY_REDIRECT = 204, 307
_KEY = re.compile(r"(?! )[\x20-\x7e]{1,255}(?<! )")
"""The API's rule for Idempotency-Key, without the spaces at both ends, which HTTP strips."""
_DESCRIPTION = re.compile(r'error_description="([^"]*)"')
"""Why a token was refused (RFC 6750, section 3)."""
_STORE_CODE = re.compile(rb"<Code>([^<]*)</Code>.*?(?:<Message>([^<]*)</Message>|$)", re.DOTALL)
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """A request to the API. One that is `repeatable` may be made again without doing a thing twice."""

    method: str
    path: str
    """Below the prefix, such as `/jobs`."""
    params: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    """JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    """Idempotency-Key."""
    held: float = 0.0
    """The seconds for which the server may hold the response back."""
    idempotent: bool = False
    """Whether the API takes the same again as the same, without a key."""

    @property
    def repeatable(self) -> bool:
        """Reads, what has a key, and what needs none."""
        return self.method in {"GET", "HEAD"} or self.key is not None or self.idempotent

    def target(self, base: str) -> str:
        """The address; a space is `%20`, which is the same text for every signature."""
        return f"{base}{self.path}" + (f"?{urlencode(self.params, quote_via=quote)}" if self.params else "")

    def fields(self) -> dict[str, str]:
        """The header fields; raises `ValueError` for what is no key."""
        if self.key is not None and not _KEY.fullmatch(self.key):
            raise ValueError("an idempotency key must be 1 to 255 printable ASCII characters, without spaces around it")
        media_type = {} if self.body is None else {"content-type": "application/json"}
        return {**media_type, **({} if self.key is None else {"idempotency-key": self.key}), **self.headers}


@dataclass(frozen=True)
class Reply:
    """A response that came whole."""

    url: str
    """Without a query, which may hold a signature."""
    status: int
    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes
    streamed: int = 0
    """Bytes of a body that was written elsewhere."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status in _SUCCESS


def path_segment(text: str) -> str:
    """Escape any text as one segment of a path; dots too, because `.` and `..` would name another path."""
    return quote(text, safe="").replace(".", "%2E")


def value_of(reply: Reply) -> JsonValue:
    """The JSON of a successful reply; raises `Refused` or `NotHeadrace`."""
    if reply.status in _REDIRECTS:
        raise NotHeadrace(reply.url, f"it redirects to {reply.headers.get('location', 'another place')}")
    try:
        value = parsed(reply.body)
    except ValueError as error:
        raise NotHeadrace(reply.url, f"status {reply.status} without a JSON object") from error
    if reply.is_success:
        return value
    if not isinstance(value, dict) or not {"code", "message"} & value.keys():
        raise NotHeadrace(reply.url, f"status {reply.status} without a problem document")
    raise refusal(problem_of(value, reply.status, reply.headers.get("www-authenticate", "")))


def object_of(reply: Reply) -> JsonObject:
    """The JSON object of a successful reply, empty for 204; raises `Refused` or `NotHeadrace`."""
    if reply.status == _NO_CONTENT:
        return {}
    value = value_of(reply)
    if not isinstance(value, dict):
        raise NotHeadrace(reply.url, f"status {reply.status} without a JSON object")
    return value


def read_as(what: str, read: Callable[[JsonObject], T], reply: Reply) -> T:
    """What a successful reply holds; raises `Refused`, or `NotHeadrace` if it is of another form."""
    try:
        return read(object_of(reply))
    except WrongForm as wrong:
        raise NotHeadrace(reply.url, f"a {what} without a valid {wrong}") from wrong


def link_of(reply: Reply) -> str | None:
    """Where a reply leads to: a link to a file or a document; None for one that is the document itself."""
    is_link = reply.status == _TEMPORARY_REDIRECT and "location" in reply.headers
    return reply.headers["location"] if is_link else None


def problem_of(raw: JsonObject, status: int, challenge: str = "") -> Problem:
    """A problem document, or API Gateway's own `{"message": …}`."""
    described = _DESCRIPTION.search(challenge)
    said = raw.get("detail")
    if described and said == described[1]:  # The local stack says it in the body too.
        said = None
    detail = str(said or raw.get("message") or "no explanation")
    errors = raw.get("errors")
    return Problem(
        status=status,
        code=str(raw.get("code", status)),
        detail=f"{detail}: {described[1]}" if described else detail,
        errors=tuple(
            Flaw(str(error.get("pointer")), str(error.get("detail")))
            for error in (errors if isinstance(errors, list) else [])
            if isinstance(error, dict)
        ),
        request_id=str(raw.get("request_id", "")),
        raw=raw,
    )


def store_problem(reply: Reply) -> Problem:
    """S3's refusal, whose code says whether a link has expired (`AccessDenied`) or the content is another."""
    found = _STORE_CODE.search(reply.body[:4096])
    code, message = (part.decode(errors="replace") for part in (found[1], found[2] or b"")) if found else ("", "")
    detail = message or "the store of files refuses it"
    return Problem(status=reply.status, code=code or str(reply.status), detail=detail)
