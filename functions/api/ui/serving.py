"""Serves the built page: compressed as the browser likes it, with headers that let it load nothing from elsewhere."""

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from functions.api.http.header_fields import entity_tags
from functions.settings import PageSettings

BUILT: Final = Path(__file__).parent / "built"
"""Made of `ui/` by `make setup`: each file as `NAME.br` and `NAME.gz`."""
_YEAR: Final = 31_536_000
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}\.(js|css)")
_TYPES: Final = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
_SAFE: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_NOT_BUILT: Final = "The page is not built. Run `make setup` where Headrace's sources are, and start again.\n"
_OF_ANOTHER_VERSION: Final = "setTimeout(() => location.reload(), 1500);\n"
"""During a gradual deployment two versions answer, and a page may ask the one for the other's script."""


def page(settings: PageSettings, built: Path, headers: Mapping[str, str]) -> Response:
    """The HTML document; 304 for a browser that has it, 503 where it was not built."""
    sent = {
        **_SAFE,
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _policy(settings),
        "cache-control": "no-cache",  # Kept by browsers, and asked for anew with its ETag: a deployment changes it.
    }
    return _compressed(built / "index.html", headers, sent) or _text(HTTPStatus.SERVICE_UNAVAILABLE, _NOT_BUILT)


def asset(name: str, built: Path, headers: Mapping[str, str]) -> Response:
    """A file whose name has the hash of its content, to be kept for a year; 404 for one that there is not."""
    if _NAME.fullmatch(name) is None:
        return _text(HTTPStatus.NOT_FOUND, "There is no such file.\n")
    kind = name.rpartition(".")[2]
    sent = {
        **_SAFE,
        "content-type": _TYPES[kind],
        "cache-control": f"public, max-age={_YEAR}, immutable",
    }
    found = _compressed(built / "assets" / name, headers, sent)
    if found is None and kind == "js":
        return Response(
            _OF_ANOTHER_VERSION, headers={**_SAFE, "content-type": _TYPES[kind], "cache-control": "no-store"}
        )
    return found or _text(HTTPStatus.NOT_FOUND, "There is no such file.\n")


def configuration(settings: PageSettings) -> Response:
    """Where to sign in; `sign_in` is null where no client is configured, as on the local stack."""
    found = {"issuer": settings.issuer, "client_id": settings.client_id} if settings.client_id else None
    headers = {**_SAFE, "content-type": "application/json", "cache-control": "no-store"}
    return Response(json.dumps({"sign_in": found}), headers=headers)


def _compressed(file: Path, headers: Mapping[str, str], sent: Mapping[str, str]) -> Response | None:
    """A built file by brotli, gzip or as it is (RFC 9110, section 12.5.3); None where there is no such file."""
    accepted = _accepted(headers.get("accept-encoding", ""))
    coding, suffix = ("br", "br") if "br" in accepted else ("gzip", "gz")
    try:
        content = file.with_name(f"{file.name}.{suffix}").read_bytes()
    except OSError:
        return None
    if coding not in accepted:
        coding, content = "", gzip.decompress(content)
    tag = hashlib.sha256(content).hexdigest()[:32]
    all_headers = {**sent, "etag": f'"{tag}"', "vary": "accept-encoding"}
    if _is_known(headers.get("if-none-match"), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=all_headers)
    return Response(content, headers={**all_headers, **({"content-encoding": coding} if coding else {})})


def _accepted(field: str) -> frozenset[str]:
    """The codings that a browser takes, without those of quality 0."""
    offered = (part.strip().lower().split(";") for part in field.split(","))
    return frozenset(name.strip() for name, *rest in offered if not any(_is_zero(each) for each in rest))


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and re.fullmatch(r"0(\.0*)?", value.strip()) is not None


def _is_known(if_none_match: str | None, tag: str) -> bool:
    known = entity_tags(if_none_match) if if_none_match is not None else None
    return known == "*" or any(each.opaque == tag for each in known or ())


def _policy(settings: PageSettings) -> str:
    """The page's own files, and calls of this API and of where people sign in (CSP 3, Trusted Types)."""
    issuer = urlsplit(settings.issuer)
    own = (f"{issuer.scheme}://{issuer.netloc}", *settings.origins) if settings.client_id else ()
    return "; ".join((
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        " ".join(("connect-src 'self'", *own)),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ))  # fmt: skip


def _text(status: HTTPStatus, text: str) -> Response:
    headers = {**_SAFE, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}
    return Response(text, status_code=status, headers=headers)
