"""The systems outside the stack: an identity provider, and a receiver of deliveries."""

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from headrace.emulator.tokens import TokenAuthority
from tests.serving import serving

AUDIENCE = "headrace"


class IdentityProvider:
    """Publishes its key as OpenID Connect Discovery 1.0 requires, and signs tokens."""

    def __init__(self, folder: Path) -> None:
        self._key = new_key()
        self.issuer = ""
        self.certificate = folder / "issuer.pem"
        """Whom to trust, so that the issuer is reached by https as every issuer is."""

    @contextmanager
    def running(self) -> Iterator["IdentityProvider"]:
        self.certificate.write_bytes(_certificate_and_key())
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate)
        with serving(self._handle, tls) as url:
            self.issuer = url
            yield self

    def token(self, email: str, audience: str = AUDIENCE, minutes: int = 30) -> str:
        """A token; one that has expired already with negative `minutes`."""
        return self._mint(self._key, email, audience, minutes)

    def program(self, client: str, audience: str = AUDIENCE) -> str:
        """A token of the client-credentials grant: of a program, without an address."""
        lifetime = timedelta(minutes=30)
        return TokenAuthority(self._key, self.issuer, (audience,)).mint_for_program(client, datetime.now(UTC), lifetime)

    def forged(self, email: str) -> str:
        """A token with the same claims, signed with another key."""
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
    """Receives deliveries; below /flaky, each path fails at its first call."""

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
    """A new RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _certificate_and_key() -> bytes:
    """A certificate of 127.0.0.1 for a day, signed by its own key, as PEM."""
    key, now = new_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    )
