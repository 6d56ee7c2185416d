"""Links that open the page signed in: each holds a code that works once, and for a few minutes.

A code is a file in the stack's folder, which only its owner can read; the file has the code's hash as its name. So
any process can issue one, and of two that redeem it, one removes the file. A browser is given a file beside it that
leads to the link, not the link: all users of the machine can read a program's arguments.
"""

import hashlib
import html
import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime

from headrace.authoring.frozen import Frozen
from headrace.emulator.state import Folder

LIFETIME = timedelta(minutes=5)
FORM = re.compile(r"[\w-]{1,100}", re.ASCII)
"""What a code can look like."""
_MARK = "#code="
_LEADING = ".html"


class _Issued(Frozen):
    """For whom a code is, and until when."""

    email: str
    until: AwareDatetime


def page_link(folder: Folder, url: str, email: str, now: datetime) -> str:
    """A link to the page of the stack at `url` that signs `email` in, once, within `LIFETIME`."""
    return f"{url}/ui{_MARK}{issue(folder, email, now)}"


def leading_file(folder: Folder, link: str) -> Path:
    """A file, for its owner alone, that leads a browser to the link; removed with the link's code."""
    path = _file(folder, link.partition(_MARK)[2]).with_suffix(_LEADING)
    path.touch(mode=0o600)
    to = html.escape(link)
    path.write_text(
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={to}">'
        f'<title>Headrace</title><a href="{to}">Open the page</a>\n'
    )
    return path.resolve()


def issue(folder: Folder, email: str, now: datetime) -> str:
    """A new code; those that nobody has used in time are removed."""
    codes = _codes(folder)
    codes.mkdir(mode=0o700, exist_ok=True)
    for path in codes.iterdir():
        issued = _read(path.with_suffix(""))
        if issued is None or issued.until < now:
            path.unlink(missing_ok=True)
    code = secrets.token_urlsafe(24)
    path = _file(folder, code)
    path.touch(mode=0o600)
    path.write_text(_Issued(email=email, until=now + LIFETIME).model_dump_json())
    return code


def redeem(folder: Folder, code: str, now: datetime) -> str | None:
    """The address that the code is for; None for one that has been used, is too old, or never was."""
    if not FORM.fullmatch(code):
        return None
    path = _file(folder, code)
    issued = _read(path)
    try:
        path.unlink()  # Of two at once, one succeeds.
    except OSError:
        return None
    path.with_suffix(_LEADING).unlink(missing_ok=True)
    return issued.email if issued is not None and now <= issued.until else None


def _codes(folder: Folder) -> Path:
    return folder.path / "page-codes"


def _file(folder: Folder, code: str) -> Path:
    return _codes(folder) / hashlib.sha256(code.encode()).hexdigest()


def _read(path: Path) -> _Issued | None:
    try:
        return _Issued.model_validate_json(path.read_text())
    except (OSError, ValueError):
        return None
