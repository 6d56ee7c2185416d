"""Parameter types of the command line: what is malformed is a usage error before anything is done."""

import math
import re
from urllib.parse import urlsplit

import click
import httpx

_TABLE = re.compile(r"[a-zA-Z0-9_.-]{3,255}", re.ASCII)
MAX_HOST = 253
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63})*\.?", re.ASCII)
"""Labels of RFC 1035, and the underscores that container networks use."""
_HOST = re.compile(r"[a-zA-Z0-9_.:-]+", re.ASCII)
_SERVER = re.compile(r"(?P<host>[a-zA-Z0-9_.-]+):(?P<port>[0-9]{1,5})", re.ASCII)


class FiniteNumber(click.FloatRange):
    """A number within a range; neither NaN, which is in every range, nor an infinity."""

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))  # type: ignore[arg-type]  # click reads texts as well
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class HttpUrl(click.ParamType[str]):
    """An http or https URL without credentials, query and fragment; without the slash at its end."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
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
    """A text of one form."""

    def __init__(self, name: str, form: re.Pattern[str]) -> None:
        self.name = name
        self._form = form

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._form.fullmatch(value):
            self.fail(f"{value!r} is not a {self.name}.", param, ctx)
        return value


class Server(click.ParamType[tuple[str, int]]):
    """HOST:PORT."""

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
    """A name or an address; what stood in brackets is an IPv6 address, as `urlsplit` has checked."""
    return ":" in text or (len(text) <= MAX_HOST and bool(_NAME.fullmatch(text)))


URL = HttpUrl()
SERVER = Server()
HOST = Matching("host", _HOST)
TABLE = Matching("table name", _TABLE)
SECONDS = FiniteNumber(0)
