"""Signs deliveries as Standard Webhooks says (https://www.standardwebhooks.com, specification of 2023-12).

A secret is `whsec_` and the base64 of its bytes; the signature is the HMAC-SHA256 of id, time and body.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, Field

from headrace.authoring.frozen import Frozen

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
"""The specification asks for 24 to 64."""
OVERLAP = timedelta(hours=24)
"""How long the previous secret stays valid after a rotation, unless another time is asked for."""
MAX_OVERLAP = timedelta(days=7)

NewSecret = Callable[[], bytes]
"""Returns `SECRET_BYTES` unpredictable bytes."""


class Signer(Frozen):
    """The secrets by which one party's deliveries are signed: an endpoint's, or a user's for `notify`."""

    id: str
    """Of the endpoint, or of the user."""
    secret: str = Field(repr=False)
    previous: str | None = Field(default=None, repr=False)
    previous_until: AwareDatetime | None = None
    """Until then deliveries are signed by both."""
    version: int
    updated_at: AwareDatetime
    unknown: dict[str, str] = Field(default_factory=dict, repr=False)
    """As of `Endpoint`."""


def secret_of(fresh: bytes) -> str:
    """The text of a secret."""
    return f"{PREFIX}{base64.b64encode(fresh).decode()}"


def new_signer(id: str, fresh: bytes, now: datetime) -> Signer:
    """A signer with its first secret."""
    return Signer(id=id, secret=secret_of(fresh), version=1, updated_at=now)


def rotated(signer: Signer, fresh: bytes, overlap: timedelta, now: datetime) -> Signer:
    """The signer with a new secret; the one before stays valid for `overlap`, any older one ends now."""
    kept = signer.secret if overlap > timedelta(0) else None
    return Signer(
        id=signer.id,
        secret=secret_of(fresh),
        previous=kept,
        previous_until=now + overlap if kept else None,
        version=signer.version + 1,
        updated_at=now,
        unknown=signer.unknown,
    )


def valid_secrets(signer: Signer, now: datetime) -> tuple[str, ...]:
    """The secrets to sign with now, the newest first."""
    both = signer.previous is not None and signer.previous_until is not None and now < signer.previous_until
    return (signer.secret, signer.previous) if both and signer.previous else (signer.secret,)


def signed_headers(signer: Signer, message_id: str, body: str, now: datetime) -> tuple[tuple[str, str], ...]:
    """The three headers of a message sent now: one signature for each valid secret."""
    seconds = int(now.timestamp())
    signatures = (signature(secret, message_id, seconds, body) for secret in valid_secrets(signer, now))
    return (
        ("webhook-id", message_id),
        ("webhook-timestamp", str(seconds)),
        ("webhook-signature", " ".join(signatures)),
    )


def signature(secret: str, message_id: str, seconds: int, body: str) -> str:
    """`v1,` and the signature of one secret."""
    signed = f"{message_id}.{seconds}.{body}".encode()
    return f"v1,{base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()}"


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a stored webhook secret is not base64") from None
