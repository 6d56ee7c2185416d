"""The DynamoDB client's credentials and endpoint; no call is made."""

from pathlib import Path

import pytest

from persistence.dynamodb.client import open_client


async def test_an_endpoint_with_credentials_leaves_this_machines_aws_settings_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile with FIPS endpoints would refuse any other endpoint."""
    (tmp_path / "config").write_text("[profile shop]\nregion = eu-central-1\nuse_fips_endpoint = true\n")
    for name, value in {
        "AWS_PROFILE": "shop", "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ACCESS_KEY_ID": "real", "AWS_SECRET_ACCESS_KEY": "real", "AWS_SESSION_TOKEN": "real",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    async with open_client("http://key:secret@127.0.0.1:8000") as client:
        credentials = await client._request_signer._credentials.get_frozen_credentials()  # type: ignore[attr-defined]
        assert (credentials.access_key, credentials.secret_key, credentials.token) == ("key", "secret", None)
        assert client.meta.endpoint_url == "http://127.0.0.1:8000"
        assert client.meta.region_name == "us-east-1"
