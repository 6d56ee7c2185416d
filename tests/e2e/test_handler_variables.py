"""Handlers' own variables and AWS profile, on a stack as a person starts it."""

import json
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.emulator.cloudformation import ROOT
from tests.e2e.conftest import Stack

CODE = '''
    import logging
    import os

    import boto3
    from pydantic import BaseModel

    from headrace import Secret, SyncJobContext, job_type


    class Nothing(BaseModel):
        pass


    class Seen(BaseModel):
        settings: dict[str, str]
        table: str
        clients: list[list[str]]


    AT_IMPORT = boto3.client("dynamodb")


    def described(client) -> list[str]:
        return [client.meta.endpoint_url, client._request_signer._credentials.access_key]


    @job_type("shop.seen", settings=("SHOP_URL", "SHOP_KEY"))
    def seen(_: Nothing, context: SyncJobContext) -> Seen:
        """What a handler has."""
        clients = [described(each) for each in (AT_IMPORT, boto3.client("dynamodb"), boto3.client("s3"))]
        return Seen(settings=dict(context.settings), table=os.environ["JOBS_TABLE"], clients=clients)


    class Payment(BaseModel):
        token: Secret


    class Paid(BaseModel):
        characters: int
        token: str


    @job_type("shop.pay", max_attempts=1)
    def pay(payment: Payment) -> Paid:
        """Pays with a secret, and talks about it."""
        token = payment.token.value
        print("paying with", token)
        logging.getLogger("shop").warning("paying with %s", token)
        if payment.token.secret == "shared/bad":
            raise PermissionError(f"401 {token}")
        return Paid(characters=len(token), token=token)


    JOB_TYPES = (seen, pay)
'''


SECRETS = "SECRET_STRIPE=secret-of-the-payload\nSECRET_SHARED_BAD=secret-of-everybody\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text(textwrap.dedent(CODE))
    (folder / ".env").write_text("SHOP_URL=file\nSHOP_KEY=secret-of-the-file\nJOBS_TABLE=mine\n" + SECRETS)
    keys = "aws_access_key_id = KEYOFSHOP\naws_secret_access_key = secret-of-the-profile\nregion = eu-central-1"
    assert "\nheadrace dev --aws-profile shop\n" in (ROOT / "docs" / "job-types.md").read_text()
    (folder / "config").write_text(f"[profile shop]\n{keys}\n")
    shell = {"JOB_TYPES": "shop", "SHOP_URL": "shell", "AWS_CONFIG_FILE": str(folder / "config")}
    stack = Stack(folder, "--aws-profile", "shop", environment=shell | {"AWS_ACCESS_KEY_ID": "KEYOFSHELL"})
    yield stack
    assert stack.stop() == 0
    written = [path.read_text() for path in (folder / "stderr", *(folder / ".headrace" / "logs").iterdir())]
    assert not [text for text in written if "secret-of-" in text or "KEYOF" in text]


def seen(stack: Stack) -> dict[str, object]:
    job = json.loads(stack.cli.ok("submit", "shop.seen", "--payload", "{}", "--wait", "--json"))
    result: dict[str, object] = job["result"]
    return result


def test_a_handler_has_its_variables_and_the_profile_and_its_job_ends_in_the_embedded_database(shop: Stack) -> None:
    aws = [[f"https://{name}.eu-central-1.amazonaws.com", "KEYOFSHOP"] for name in ("dynamodb", "dynamodb", "s3")]
    settings = {"SHOP_URL": "shell", "SHOP_KEY": "secret-of-the-file"}
    assert seen(shop) == {"settings": settings, "table": "JobsTable", "clients": aws}
    assert ".env:3: JOBS_TABLE has no effect: Headrace sets it itself" in (shop.folder / "stderr").read_text()


def test_a_handler_has_the_secrets_of_the_file_and_nobody_sees_them(shop: Stack) -> None:
    def paid(name: str) -> tuple[int, str]:
        payload = json.dumps({"token": {"secret": name}})
        done = shop.cli.run("submit", "shop.pay", "--payload", payload, "--wait", "--json")
        assert "secret-of-" not in done.stdout + done.stderr
        return done.returncode, done.stdout

    code, job = paid("stripe")
    assert code == 0
    assert json.loads(job)["result"] == {"characters": len("secret-of-the-payload"), "token": "[secret stripe]"}
    code, job = paid("shared/bad")
    assert code == 7
    assert json.loads(job)["error"]["message"] == "401 [secret shared/bad]"
    code, job = paid("unknown")
    assert json.loads(job)["error"]["code"] == "secret_missing"
    logs = [path.read_text() for path in (shop.folder / ".headrace" / "logs").iterdir()]
    assert sum(log.count("paying with [secret stripe]") for log in logs) == 2


def test_only_what_runs_jobs_has_them(shop: Stack) -> None:
    names = {"ApiFunction": False, "SweeperFunction": False, "WorkerFunction": True, "StandardRunnerFunction": True}
    for name, expected in names.items():
        for pid in shop.environments(name):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            assert (b"AWS_PROFILE=shop" in variables, any(each.startswith(b"SHOP_KEY=") for each in variables)) == (
                expected,
                expected,
            )


def test_a_change_of_the_file_is_used_by_the_next_job(shop: Stack) -> None:
    (shop.folder / ".env").write_text("SHOP_KEY=another-secret-of-the-file\n")
    ends = time.monotonic() + 60
    while "reloaded: .env" not in (shop.folder / "stderr").read_text():
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert seen(shop)["settings"] == {"SHOP_URL": "shell", "SHOP_KEY": "another-secret-of-the-file"}
