"""Signatures are those of Standard Webhooks: its own library takes them."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from domain.webhooks.signing import (
    OVERLAP,
    Signer,
    new_signer,
    rotated,
    secret_of,
    signature,
    signed_headers,
    valid_secrets,
)
from tests.factories import NOW
from tests.unit.webhooks.parts import SECRET, a_signer

BODY = '{"type":"job.succeeded","data":{"ü":"☃"}}'
NEXT = bytes(range(1, 33))


def test_the_specifications_library_accepts_what_was_signed_and_nothing_else() -> None:
    now = datetime.now(UTC)
    headers = dict(signed_headers(a_signer(), "msg_1", BODY, now))
    Webhook(secret_of(SECRET)).verify(BODY, headers)
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(now.timestamp()) - 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret_of(SECRET)).verify(BODY, {**headers, **changed})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(SECRET)).verify(f"{BODY} ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(NEXT)).verify(BODY, headers)


def test_the_specifications_own_example_has_its_signature() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = '{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_after_a_rotation_both_secrets_sign_for_a_while() -> None:
    now = datetime.now(UTC)
    signer = rotated(a_signer(), NEXT, OVERLAP, now)
    headers = dict(signed_headers(signer, "msg_1", BODY, now))
    for secret in (SECRET, NEXT):
        Webhook(secret_of(secret)).verify(BODY, headers)
    assert valid_secrets(signer, now + OVERLAP) == (secret_of(NEXT),)
    assert (signer.version, signer.previous_until) == (2, now + OVERLAP)


def test_a_secret_that_others_have_seen_can_end_at_once_and_two_are_valid_at_most() -> None:
    at_once = rotated(a_signer(), NEXT, timedelta(0), NOW)
    assert (at_once.previous, at_once.previous_until) == (None, None)
    assert valid_secrets(at_once, NOW) == (secret_of(NEXT),)
    third = rotated(rotated(a_signer(), NEXT, OVERLAP, NOW), b"3" * 32, OVERLAP, NOW)
    assert valid_secrets(third, NOW) == (secret_of(b"3" * 32), secret_of(NEXT))


def test_no_secret_is_in_a_signers_representation() -> None:
    signer = rotated(a_signer(), NEXT, OVERLAP, NOW)
    assert "whsec_" not in f"{signer!r}{signer}"


def test_a_damaged_secret_signs_nothing() -> None:
    with pytest.raises(ValueError, match="not base64"):
        signature("whsec_!", "msg_1", 1, BODY)


def test_a_new_signer_has_one_secret() -> None:
    assert new_signer("1", SECRET, NOW) == Signer(id="1", secret=secret_of(SECRET), version=1, updated_at=NOW)
