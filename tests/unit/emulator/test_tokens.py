"""Tokens of the local stack."""

import base64
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from headrace.emulator.state import Folder
from headrace.emulator.tokens import AUDIENCE, ISSUER, InvalidToken, TokenAuthority, local_authority

HOUR = timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / ".headrace")


@pytest.fixture
def authority(folder: Folder) -> TokenAuthority:
    return local_authority(folder)


def now() -> datetime:
    return datetime.now(UTC)


def test_a_minted_token_is_accepted_after_a_restart(folder: Folder, authority: TokenAuthority) -> None:
    token = authority.mint("ada@example.com", now(), HOUR)
    claims = local_authority(folder).verify(token)
    assert not isinstance(claims, InvalidToken)
    assert (claims["email"], claims["iss"], claims["aud"]) == ("ada@example.com", ISSUER, AUDIENCE)


def test_the_key_is_readable_only_by_its_owner(folder: Folder) -> None:
    local_authority(folder)
    assert stat.S_IMODE((folder.path / "token-key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_an_expired_token_is_refused(authority: TokenAuthority) -> None:
    assert authority.verify(authority.mint("a@b.c", now() - 2 * HOUR, HOUR)) == InvalidToken(
        reason="the token has expired; headrace token EMAIL signs another"
    )


def test_a_token_of_another_machine_is_refused(authority: TokenAuthority, tmp_path: Path) -> None:
    other = local_authority(Folder(tmp_path / "other"))
    refused = authority.verify(other.mint("a@b.c", now(), HOUR))
    assert isinstance(refused, InvalidToken)
    assert "signed with another key" in refused.reason


def test_the_token_does_not_choose_the_algorithm(authority: TokenAuthority) -> None:
    claims = {"email": "a@b.c", "iss": ISSUER, "aud": AUDIENCE, "iat": 1, "exp": 99999999999}
    unsigned = jwt.encode(claims, "", algorithm="none")
    public = json.dumps(authority.jwks()).encode()
    forged = jwt.encode(claims, base64.b64encode(public).decode(), algorithm="HS256")
    assert isinstance(authority.verify(unsigned), InvalidToken)
    assert isinstance(authority.verify(forged), InvalidToken)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "x"}, f"the iss of the token is not {ISSUER}"),
        ({"aud": "x"}, f"the aud of the token is not {AUDIENCE}"),
        ({"iat": None}, "the token has no claim iat"),
        ({"iat": 99999999990}, "the token is not valid yet: its nbf or iat is in the future"),
    ],
    ids=["issuer", "audience", "missing claim", "future"],
)
def test_a_refusal_says_which_claim_is_wrong(folder: Folder, claims: dict[str, object], reason: str) -> None:
    authority = local_authority(folder)
    key = (folder.path / "token-key.pem").read_text()
    good = {"email": "a@b.c", "iss": ISSUER, "aud": AUDIENCE, "iat": 1, "exp": 99999999999}
    signed = {name: value for name, value in (good | claims).items() if value is not None}
    assert authority.verify(jwt.encode(signed, key, algorithm="RS256")) == InvalidToken(reason=reason)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é.é.é"])
def test_an_invalid_token_is_refused(authority: TokenAuthority, text: str) -> None:
    assert isinstance(authority.verify(text), InvalidToken)


def test_the_published_key_verifies_tokens(authority: TokenAuthority) -> None:
    keys = authority.jwks()["keys"]
    assert isinstance(keys, list)
    published = keys[0]
    assert isinstance(published, dict)
    assert "d" not in published, "the private exponent"
    key = jwt.PyJWK(published)
    token = authority.mint("a@b.c", now(), HOUR)
    assert jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE)["email"] == "a@b.c"
