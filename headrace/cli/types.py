"""Parameter types of the command line: malformed values are usage errors, reported before anything is done."""

import math
import re
from urllib.parse import urlsplit

import click

_TABLE = re.compile(r"[a-zA-Z0-9_.-]{3,255}", re.ASCII)
MAX_HOST = 253
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63})*\.?", re.ASCII)
"""Labels of RFC 1035, and the underscores that container networks use."""
_HOST = re.compile(r"[a-zA-Z0-9_.:-]+", re.ASCII)
_SERVER = re.compile(r"(?P<host>[a-zA-Z0-9_.-]+):(?P<port>[0-9]{1,5})", re.ASCII)


class FiniteNumber(click.FloatRange):
    """A finite number within a range; click's own range check lets NaN through."""

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))  # type: ignore[arg-type]  # click accepts strings too
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class HttpUrl(click.ParamType[str]):
    """An http or https URL without credentials, query and fragment; trailing slashes are removed."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        import httpx

        try:
            parts = urlsplit(value)
            httpx.URL(value)
            is_valid = parts.scheme in {"http", "https"} and _is_host(parts.hostname or "") and parts.port != 0
        except (ValueError, httpx.InvalidURL):
            is_valid = False
        is_plain = value.isascii() and value.isprintable() and not set(value) & set(' "<>\\^`{|}@?#')
        if not is_valid or not is_plain:
            self.fail(f"{value!r} is not a URL like http://127.0.0.1:8080.", param, ctx)
        return value.rstrip("/")


class Matching(click.ParamType[str]):
    """A string that matches a regular expression."""

    def __init__(self, name: str, form: re.Pattern[str]) -> None:
        self.name = name
        self._form = form

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._form.fullmatch(value):
            self.fail(f"{value!r} is not a {self.name}.", param, ctx)
        return value


class Tag(click.ParamType[tuple[str, str]]):
    """A tag of a job, NAME=VALUE; the value may be empty."""

    name = "name=value"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is not NAME=VALUE.", param, ctx)
        return name, text


class Server(click.ParamType[tuple[str, int]]):
    """A server's address, HOST:PORT."""

    name = "host:port"

    def convert(
        self, value: str | tuple[str, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        found = _SERVER.fullmatch(value)
        if found is None or not 0 < int(found["port"]) < 2**16:
            self.fail(f"{value!r} is not HOST:PORT.", param, ctx)
        return found["host"], int(found["port"])


def _is_host(text: str) -> bool:
    """Whether `text` is a host name or an IP address; `urlsplit` has already checked an IPv6 address in brackets."""
    return ":" in text or (len(text) <= MAX_HOST and bool(_NAME.fullmatch(text)))


URL = HttpUrl()
SERVER = Server()
HOST = Matching("host", _HOST)
TABLE = Matching("table name", _TABLE)
SECONDS = FiniteNumber(0)
TAG = Tag()
