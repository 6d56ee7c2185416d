"""The verification in docs/webhooks.md accepts what Headrace signs, and nothing else."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from domain.webhooks.signing import OVERLAP, rotated, signed_headers
from tests.unit.webhooks.parts import a_signer

ROOT = Path(__file__).parents[3]
BODY = '{"type":"job.succeeded","data":{"snow":"☃"}}'
Genuine = Callable[[str, dict[str, str], bytes], bool]


@pytest.fixture(scope="module")
def is_genuine() -> Genuine:
    shown = re.search(
        r"<!-- test: verify -->\n```python\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), re.DOTALL
    )
    assert shown
    names: dict[str, object] = {}
    exec(shown[1], names)
    return cast("Genuine", names["is_genuine"])


def test_what_is_signed_is_accepted_by_either_secret_of_a_rotation(is_genuine: Genuine) -> None:
    now, old = datetime.now(UTC), a_signer()
    new = rotated(old, b"2" * 32, OVERLAP, now)
    headers = dict(signed_headers(new, "id", BODY, now))
    assert is_genuine(old.secret, headers, BODY.encode())
    assert is_genuine(new.secret, headers, BODY.encode())


def test_what_is_forged_or_old_is_refused(is_genuine: Genuine) -> None:
    now, signer = datetime.now(UTC), a_signer()
    headers = dict(signed_headers(signer, "id", BODY, now))
    assert not is_genuine(signer.secret, headers, BODY.encode() + b" ")
    assert not is_genuine(rotated(signer, b"2" * 32, OVERLAP, now).secret, headers, BODY.encode())
    assert not is_genuine(signer.secret, {**headers, "webhook-id": "other"}, BODY.encode())
    assert not is_genuine(signer.secret, {**headers, "webhook-timestamp": "soon"}, BODY.encode())
    old = dict(signed_headers(signer, "id", BODY, now - timedelta(minutes=6)))
    assert not is_genuine(signer.secret, old, BODY.encode())
