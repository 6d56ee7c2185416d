"""The rules for subjects, scopes and API keys."""

from datetime import timedelta

import pytest

from domain.users.principal import (
    MAX_SUBJECT,
    InvalidSubject,
    KeyText,
    Principal,
    hashed,
    iam_subject,
    is_active,
    key_of,
    key_text,
    needed_scopes,
    parse_key,
    token_subject,
)
from tests.factories import NOW

USER = "0b9f5f6e-4c1d-4e54-8a1b-0123456789ab"
SECRET = "s" * 43


def a_key(id: str = "12345678-0000-4000-8000-000000000000", *secrets: str) -> Principal:
    kept = tuple(hashed(secret) for secret in secrets)
    return Principal(id=id, kind="key", subject=f"key#{id}", name="", scopes=("read",), created_at=NOW, secrets=kept)


def test_a_subject_is_bound_with_its_issuer() -> None:
    assert token_subject("https://issuer.test", "abc") == "https://issuer.test#abc"


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [("http://issuer.test", "a"), ("iam", "a"), ("https://a#b", "c"), ("https://a", ""), ("https://a", "\n"),
     ("https://a", "x" * MAX_SUBJECT)],
)  # fmt: skip
def test_a_subject_that_could_be_another_is_refused(issuer: str, subject: str) -> None:
    assert isinstance(token_subject(issuer, subject), InvalidSubject)


@pytest.mark.parametrize(
    ("arn", "subject"),
    [
        ("arn:aws:iam::123456789012:role/orders", "arn:aws:iam::123456789012:role/orders"),
        ("arn:aws:iam::123456789012:role/a/path/orders", "arn:aws:iam::123456789012:role/orders"),
        ("arn:aws:sts::123456789012:assumed-role/orders/a-session", "arn:aws:iam::123456789012:role/orders"),
        ("arn:aws-cn:sts::123456789012:assumed-role/orders/i-0abc", "arn:aws-cn:iam::123456789012:role/orders"),
        ("arn:aws:iam::123456789012:user/dev/ada", "arn:aws:iam::123456789012:user/dev/ada"),
    ],
)
def test_a_session_is_its_role_without_the_roles_path(arn: str, subject: str) -> None:
    assert iam_subject(arn) == f"iam#{subject}"


@pytest.mark.parametrize(
    "arn",
    ["", "orders", "arn:aws:iam::123456789012:root", "arn:aws:sts::123456789012:federated-user/ada",
     "arn:aws:iam::1234:role/orders", "arn:aws:sts::123456789012:assumed-role/orders",
     "arn:aws:sts::123456789012:assumed-role/a/b/c", "arn:aws:iam::123456789012:role/" + "x" * 65],
)  # fmt: skip
def test_what_is_no_role_and_no_user_of_aws_is_refused(arn: str) -> None:
    assert isinstance(iam_subject(arn), InvalidSubject)


def test_a_key_names_its_user_and_is_read_as_it_was_written() -> None:
    text = key_text(USER, "12345678-0000-4000-8000-000000000000", SECRET)
    assert text == f"hr_{USER.replace('-', '')}12345678_{SECRET}"
    assert parse_key(text) == KeyText(user_id=USER, key_id="12345678", secret=SECRET)


@pytest.mark.parametrize("text", ["", "hr_", "hr_1_2", f"hr_{'0' * 40}_{'x' * 42}", f"hr_{'G' * 40}_{SECRET}"])
def test_a_text_of_another_form_is_no_key(text: str) -> None:
    assert parse_key(text) is None


def test_a_key_is_proved_by_any_of_its_valid_secrets_and_by_nothing_else() -> None:
    old, new = "o" * 43, "n" * 43
    mine, other = a_key("12345678-0000-4000-8000-000000000000", new, old), a_key("87654321-0000-4000-8000-000000000000")

    def proved(key_id: str, secret: str) -> Principal | None:
        return key_of((other, mine), KeyText(user_id=USER, key_id=key_id, secret=secret))

    assert proved("12345678", new) == proved("12345678", old) == mine
    assert proved("12345678", SECRET) is proved("87654321", new) is proved("00000000", new) is None
    assert (
        key_of((mine.model_copy(update={"kind": "token"}),), KeyText(user_id=USER, key_id="12345678", secret=new))
        is None
    )


def test_a_principal_ends_at_its_time_or_when_it_is_disabled() -> None:
    ends = a_key().model_copy(update={"expires_at": NOW})
    assert is_active(ends, NOW - timedelta(seconds=1))
    assert not is_active(ends, NOW)
    assert is_active(a_key(), NOW)
    assert not is_active(a_key().model_copy(update={"disabled": True}), NOW)


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", "/v1/jobs", {"read"}),
        ("HEAD", "/v1/users/x/principals", {"read"}),
        ("POST", "/v1/jobs", {"submit"}),
        ("POST", "/v1/jobs/batch", {"submit"}),
        ("POST", "/v1/files", {"submit"}),
        ("POST", "/v1/jobs/x/cancel", {"manage"}),
        ("DELETE", "/v1/something/new", {"manage"}),
        ("POST", "/v1/users", {"submit", "read", "manage"}),
        ("POST", "/v1/users/x/principals", {"submit", "read", "manage"}),
    ],
)
def test_a_request_needs_its_scopes_and_what_is_not_named_needs_manage(
    method: str, path: str, scopes: set[str]
) -> None:
    assert needed_scopes(method, path) == scopes
