"""Splits an http URL without changing it, and compares its host with the hosts that a setting permits."""

import re
from ipaddress import IPv6Address
from typing import NamedTuple

_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(?:\[([^\[\]]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{0,9}))?")
_PORTS = {"http": 80, "https": 443}
_LARGEST_PORT = 65535
_MAX_URL_HOST = 255


class Authority(NamedTuple):
    """A host and an optional port."""

    host: str
    """As written, without brackets."""
    port: int | None

    def canonical(self) -> str:
        """The host's form for comparison: a lower-case name without its final dot, or a normalized IPv6 address."""
        if ":" in self.host:
            return str(IPv6Address(self.host))
        return self.host.lower().removesuffix(".")


class HttpUrl(NamedTuple):
    """The parts of a URL that a delivery needs; `netloc` and `target` are as submitted."""

    tls: bool
    netloc: str
    """The value of the Host header."""
    target: str
    """The request target (RFC 9112, section 3.2.1): the path (`/` if empty) and the query."""
    host: Authority
    port: int


def split_url(url: str) -> HttpUrl:
    """Split an absolute http or https URL; raises `ValueError` with a message for the submitter."""
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("a URL is ASCII without spaces; encode the rest as %XX")
    match = _URL.fullmatch(url)
    if match is None or not match[2]:
        raise ValueError("only http:// and https:// URLs with a host are delivered to")
    scheme, netloc, target = match[1].lower(), match[2], match[3]
    if "@" in netloc:
        raise ValueError("credentials belong into a header, not into the URL")
    authority = parse_authority(netloc)
    if authority is None:
        raise ValueError("not a host, or not a port")
    return HttpUrl(
        tls=scheme == "https",
        netloc=netloc,
        target=target if target.startswith("/") else f"/{target}",
        host=authority,
        port=authority.port or _PORTS[scheme],
    )


def parse_authority(text: str) -> Authority | None:
    """`host`, `host:port`, `[IPv6]` or `[IPv6]:port`; None for anything else."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or len(text) > _MAX_URL_HOST:
        return None
    port = int(match[3]) if match[3] else None
    if port is not None and not 0 < port <= _LARGEST_PORT:
        return None
    authority = Authority(match[1] or match[2], port)
    if match[1] is not None and not _is_ipv6(match[1]):
        return None
    return authority if authority.canonical() else None


def permits(setting: str, url: HttpUrl) -> bool:
    """Whether `setting` lists the host of `url`, alone or with its port.

    The setting has entries in the form of `parse_authority`, separated by commas; an IPv6 address without port needs no
    brackets. A malformed entry permits nothing. Hosts are compared by name, never by the address they resolve to.
    """
    host = url.host.canonical()
    return any(
        entry.canonical() == host and entry.port in {None, url.port}
        for text in setting.split(",")
        if (entry := _entry(text.strip())) is not None
    )


def _entry(text: str) -> Authority | None:
    return Authority(text, None) if _is_ipv6(text) else parse_authority(text)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
