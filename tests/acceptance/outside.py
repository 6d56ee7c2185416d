"""What is outside of the stack: an identity provider, and a receiver of deliveries."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from local.tokens import TokenAuthority
from tests.serving import serving

AUDIENCE = "headrace"


class IdentityProvider:
    """Publishes its key as OpenID Connect Discovery 1.0 says, and signs tokens."""

    def __init__(self) -> None:
        self._key = new_key()
        self.issuer = ""

    @contextmanager
    def running(self) -> Iterator["IdentityProvider"]:
        with serving(self._handle) as url:
            self.issuer = url
            yield self

    def token(self, email: str, audience: str = AUDIENCE, minutes: int = 30) -> str:
        """A token; one that has expired already with negative `minutes`."""
        return self._mint(self._key, email, audience, minutes)

    def forged(self, email: str) -> str:
        """A token that says the same and is signed with another key."""
        return self._mint(new_key(), email, AUDIENCE, 30)

    def _mint(self, key: rsa.RSAPrivateKey, email: str, audience: str, minutes: int) -> str:
        now = datetime.now(UTC) - timedelta(minutes=60 if minutes < 0 else 0)
        lifetime = timedelta(minutes=abs(minutes))
        return TokenAuthority(key, self.issuer, (audience,)).mint(email, now, lifetime)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks.json"})
        return web.json_response(TokenAuthority(self._key, self.issuer, (AUDIENCE,)).jwks())


class Receiver:
    """Takes deliveries; below /flaky, each path fails at its first call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.url = ""

    @contextmanager
    def running(self) -> Iterator["Receiver"]:
        with serving(self._handle) as url:
            self.url = url
            yield self

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        first = all(path != request.path for path, _ in self.calls)
        self.calls.append((request.path, request.headers.get("Idempotency-Key", "")))
        if request.path.startswith("/flaky") and first:
            return web.Response(status=503, headers={"Retry-After": "1"}, text="not now")
        return web.Response(text="received")


def new_key() -> rsa.RSAPrivateKey:
    """An RSA key that nobody else has."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
