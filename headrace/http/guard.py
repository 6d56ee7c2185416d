"""Guards against server-side request forgery: which addresses a URL that others chose may lead to."""

from dataclasses import dataclass

from headrace.http.addresses import is_public
from headrace.http.name_resolution import Resolver, Unresolved
from headrace.http.url import HttpUrl, permits


@dataclass(frozen=True)
class Forbidden:
    """The host is at an address that is not public, and no setting permits it."""


async def reachable(url: HttpUrl, allowed: str, resolver: Resolver) -> tuple[str, ...] | Unresolved | Forbidden:
    """Resolve the addresses to connect to; all must be public, unless the setting `allowed` permits the host.

    The connection is made to these addresses and not to the name, so that a second DNS lookup cannot change them.
    """
    found = await resolver.resolve(url.host.host, url.port)
    if isinstance(found, Unresolved) or permits(allowed, url):
        return found
    if not found or not all(is_public(address) for address in found):
        return Forbidden()
    return found
