"""JWTs of the local stack: RS256, signed with a key that exists on this machine only."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from pydantic import JsonValue

from headrace.authoring.frozen import Frozen
from headrace.emulator.state import Folder

ISSUER = "https://headrace.localhost"
AUDIENCE = "headrace-local"
KEY_ID = "local"
_KEY_FILE = "token-key.pem"
_REQUIRED = ["exp", "iat", "iss", "aud"]


class InvalidToken(Frozen):
    """The token failed verification."""

    reason: str
    """For the header `WWW-Authenticate`: printable ASCII without quotation marks and backslashes."""
    is_missing: bool = False
    """Whether there was none."""


API_KEY_PREFIX = "hr_"
"""Of the keys that `headrace users key` prints (`domain/users/principal.py`)."""
WANTED = "send the header authorization: Bearer TOKEN; headrace token EMAIL signs a token"
_SCHEMES = {
    "basic": "a user name and password (Basic) are not accepted",
    "digest": "a password (Digest) is not accepted",
    "apikey": "a key (ApiKey) is not accepted",
    "token": "the scheme Token is not accepted",
    "aws4-hmac-sha256": "a signature of AWS is for the paths below /iam/v1",
}


def token_of(authorization: str) -> str | InvalidToken:
    """The token in a header `authorization`: alone, or after `Bearer`."""
    scheme, _, rest = authorization.strip().partition(" ")
    is_bearer = scheme.lower() == "bearer"
    token = rest.strip() if is_bearer else authorization.strip()
    if not token:
        return InvalidToken(reason=f"the request has no token; {WANTED}", is_missing=True)
    if token.startswith(API_KEY_PREFIX):
        return InvalidToken(reason=f"this is an API key, which is for the paths below /key/v1; for others {WANTED}")
    if rest and not is_bearer:
        # An unknown scheme is not named: it may be a part of a secret.
        refused = _SCHEMES.get(scheme.lower(), "the scheme is not Bearer")
        return InvalidToken(reason=f"{refused}; {WANTED}")
    return token


class TokenAuthority:
    """Signs tokens, and verifies them as API Gateway's JWT authorizer does."""

    def __init__(self, key: rsa.RSAPrivateKey, issuer: str, audience: tuple[str, ...]) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience

    def mint(self, email: str, now: datetime, lifetime: timedelta) -> str:
        """Sign a token for any `email`; the API decides whether it belongs to a user."""
        return self._signed({"sub": email, "email": email, "email_verified": True}, now, lifetime)

    def mint_for_program(self, client: str, now: datetime, lifetime: timedelta) -> str:
        """Sign a token as the client-credentials grant gives it (RFC 9068): of a program, without an address."""
        return self._signed({"sub": client, "client_id": client}, now, lifetime)

    def _signed(self, subject: Mapping[str, JsonValue], now: datetime, lifetime: timedelta) -> str:
        claims = {
            **subject,
            "iss": self._issuer,
            "aud": self._audience[0],
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID})

    def verify(self, token: str) -> Mapping[str, JsonValue] | InvalidToken:
        """Return the claims if signature, algorithm, issuer, audience and times are valid."""
        try:
            claims: dict[str, JsonValue] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                issuer=self._issuer,
                audience=list(self._audience),
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError) as error:
            # Besides its own errors, the library lets errors of the parsers that it uses through.
            return InvalidToken(reason=_why(error))
        return claims

    def jwks(self) -> dict[str, JsonValue]:
        """The public key, as an identity provider publishes it (RFC 7517)."""
        public = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}


def has_key(folder: Folder) -> bool:
    """Whether a stack has been started in this folder, and so has a key that signs its tokens."""
    return (folder.path / _KEY_FILE).exists() or folder.path.is_file()


def local_authority(folder: Folder) -> TokenAuthority:
    """The authority of this folder; its key is generated on first use."""
    pem = folder.private(_KEY_FILE, _new_key)
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise folder.unusable(_KEY_FILE) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise folder.unusable(_KEY_FILE)
    return TokenAuthority(key, ISSUER, (AUDIENCE,))


def _why(error: Exception) -> str:
    """What is wrong with a token, and what to do; never a part of the token, except the name of a claim."""
    match error:
        case jwt.ExpiredSignatureError():
            return "the token has expired; headrace token EMAIL signs another"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet: its nbf or iat is in the future"
        case jwt.InvalidSignatureError():
            return (
                "the token was signed with another key; sign it in the folder of this stack with headrace token EMAIL"
            )
        case jwt.InvalidIssuerError():
            return f"the iss of the token is not {ISSUER}"
        case jwt.InvalidAudienceError():
            return f"the aud of the token is not {AUDIENCE}"
        case jwt.MissingRequiredClaimError():
            return f"the token has no claim {error.claim}"
        case jwt.InvalidAlgorithmError():
            return "the algorithm of the token is not RS256"
        case _:
            return f"this is not a JWT; {WANTED}"


def _new_key() -> str:
    fresh = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return fresh.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
