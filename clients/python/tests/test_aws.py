"""Signature Version 4, checked by the rules that the service applies to what it receives."""

import hashlib
import hmac
import re
from urllib.parse import quote

import httpx
import pytest
from botocore.credentials import Credentials

from headrace_client import Client, RawJson
from headrace_client.aws import SigV4
from tests.world import URL, World, job

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "session")
_FIELD = re.compile(
    r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/(\d{8})/(.*?)/(.*?)/aws4_request, SignedHeaders=(.*?), Signature=(.*)"
)


def is_signed(request: httpx.Request, secret: str = "wJalrXUtnFEMI") -> bool:
    """What the service computes (AWS's reference: "Create a signed AWS API request")."""
    found = _FIELD.fullmatch(request.headers["authorization"])
    assert found is not None
    day, region, service, names, signature = found.groups()
    path, _, query = request.url.raw_path.decode().partition("?")
    canonical = "\n".join([
        request.method, quote(path, safe="/~"), "&".join(sorted(query.split("&"))),
        *(f"{name}:{request.headers[name].strip()}" for name in names.split(";")), "", names,
        hashlib.sha256(request.content).hexdigest(),
    ])  # fmt: skip
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, _hash(canonical)])
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest() == signature


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_each_request_is_signed_with_its_address_and_body_again_when_it_is_repeated() -> None:
    page = httpx.Response(200, json={"items": [], "next": None})
    world = World([httpx.ReadError("cut"), job(), job(), page])
    transport, auth = httpx.MockTransport(world.handle), SigV4("eu-north-1", KEYS)
    with Client(URL, auth=auth, prefix="/iam/v1", transport=transport, seams=world.seams()) as client:
        client.submit("t", RawJson('{"é": 1}'))
        client.get("an id/with ~ things")
        assert list(client.jobs(type="a b+c", owner="é")) == []
    assert [is_signed(request) for request in world.seen] == [True] * 4
    assert not is_signed(world.seen[0], "another secret")
    for request in world.seen:
        assert (
            "/eu-north-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date;" in request.headers["authorization"]
        )
        assert request.headers["x-amz-security-token"] == "session"


def test_without_credentials_or_region_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ValueError, match="no AWS region"):
        SigV4(credentials=KEYS)
    with pytest.raises(ValueError, match="no AWS credentials"):
        SigV4("eu-north-1")


def test_the_region_is_that_of_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv("AWS_REGION", raising=False)
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        monkeypatch.setenv(name, "eu-west-1")
        world = World([job()])
        with Client(URL, auth=SigV4(credentials=KEYS), transport=httpx.MockTransport(world.handle)) as client:
            client.get("7")
        assert "/eu-west-1/" in world.seen[0].headers["authorization"]


def test_a_token_and_a_signature_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="not both"):
        Client(URL, token="t", auth=SigV4("eu-north-1", KEYS))
