"""The frame of every page: one HTML document that holds all it needs, and headers that let it load nothing else."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from functions.api.documentation.markup import Html, element, joined, raw_element
from headrace.authoring.frozen import Frozen

_HERE = Path(__file__).parent
_NO_ICON = "data:,"
"""Else a browser asks for /favicon.ico, which is not there."""


class Page(Frozen):
    """A whole page, and the headers that it is sent with."""

    html: str
    headers: Mapping[str, str]


def page(title: str, body: Html, script: str = "") -> Page:
    """The page of this body, with `page.css` and, where it is named, the file `script` of this folder."""
    style, code = _file("page.css"), _file(script) if script else ""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("link", rel="icon", href=_NO_ICON),
        raw_element("style", style),
    )
    content = joined(body, raw_element("script", code)) if code else body
    document = f"<!doctype html>\n{element('html', head, element('body', content), lang='en')}\n"
    return Page(html=document, headers=_headers(document, style, code))


def _headers(document: str, style: str, code: str) -> dict[str, str]:
    tag = hashlib.sha256(document.encode()).hexdigest()[:32]
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _policy(style, code),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-cache",  # Kept by browsers, and asked for anew with its ETag: a deployment changes it.
        "etag": f'"{tag}"',
    }


def _policy(style: str, code: str) -> str:
    """Nothing but this very style and script, and calls of this origin (CSP 3, Trusted Types)."""
    scripts = (f"script-src '{_digest(code)}'", "connect-src 'self'") if code else ()
    return "; ".join((
        "default-src 'none'",
        f"style-src '{_digest(style)}'",
        *scripts,
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ))  # fmt: skip


def _digest(content: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _file(name: str) -> str:
    return f"\n{(_HERE / name).read_text(encoding='utf-8')}"
