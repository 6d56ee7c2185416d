"""The stores of secrets: Parameter Store and Secrets Manager on MiniStack, the environment; the cache before them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from domain.results import StorageUnavailable
from domain.secrets.store import SecretForbidden, SecretFound, SecretMissing, SecretsOff, SecretStore, place_of
from functions.compose import secrets
from functions.runtime import Runtime
from functions.settings import MissingSetting
from headrace.emulator.database import embedded_database
from headrace.testing.secret_store import FakeSecrets
from persistence.dynamodb.client import CONFIG, session_for
from persistence.secrets.aws import (
    ParameterStore,
    SecretsManager,
    open_parameter_client,
    open_secret_client,
)
from persistence.secrets.cache import MOST, SECONDS, CachedSecrets
from persistence.secrets.environment import EnvironmentSecrets, NoSecrets
from tests.conftest import parts_on

PREFIX = "/headrace/shop"
OWNER = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """MiniStack with both stores."""
    folder: Path = tmp_path_factory.mktemp("secrets")
    services = {"SERVICES": "ssm,secretsmanager"}
    async with embedded_database(None, folder / "database.log", services) as database:
        yield database.url


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime("http://127.0.0.1:1")
    yield runtime
    runtime.close()


@pytest.fixture(scope="module", params=["ParameterStore", "SecretsManager"])
async def store(request: pytest.FixtureRequest, url: str) -> AsyncIterator[SecretStore]:
    session, address = session_for(url)
    name = f"{PREFIX}/{place_of(OWNER, 'stripe')}"
    if request.param == "ParameterStore":
        async with session.client("ssm", endpoint_url=address, config=CONFIG) as admin:
            await admin.put_parameter(Name=name, Value="sk_1", Type="SecureString")
        async with open_parameter_client(url) as parameters:

            async def opened() -> object:
                return parameters

            yield ParameterStore(opened, PREFIX)  # type: ignore[arg-type]
    else:
        async with session.client("secretsmanager", endpoint_url=address, config=CONFIG) as admin:
            await admin.create_secret(Name=name, SecretString="sk_1")
            await admin.create_secret(Name=f"{PREFIX}/shared/bytes", SecretBinary=b"sk_1")
        async with open_secret_client(url) as client:

            async def open_it() -> object:
                return client

            yield SecretsManager(open_it, PREFIX)  # type: ignore[arg-type]


async def test_a_secret_is_found_at_its_place_and_nowhere_else(store: SecretStore) -> None:
    assert await store.get(place_of(OWNER, "stripe")) == "sk_1"
    assert await store.get(place_of(OWNER, "shared/stripe")) == SecretMissing()
    assert await store.get(place_of(OWNER.replace("1", "2"), "stripe")) == SecretMissing()
    assert await store.get(place_of(OWNER, "shared/bytes")) == SecretMissing(), "no text"


class Failing:
    """A client of either store that raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def get_parameter(self, *, Name: str, WithDecryption: bool) -> Mapping[str, object]:
        raise self._error

    async def get_secret_value(self, *, SecretId: str) -> Mapping[str, object]:
        raise self._error


def refused(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Get")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (refused("AccessDeniedException"), SecretForbidden()),
        (refused("ResourceNotFoundException"), SecretMissing()),
        (refused("ParameterNotFound"), SecretMissing()),
        (refused("ThrottlingException"), StorageUnavailable(reason="throttled", detail="ThrottlingException")),
        (refused("InternalServerError", 500), StorageUnavailable(reason="server", detail="InternalServerError")),
        (ReadTimeoutError(endpoint_url="x"), StorageUnavailable(reason="timeout", detail="ReadTimeoutError")),
    ],
)
async def test_what_a_store_refuses_is_told_apart(error: Exception, found: SecretFound) -> None:
    async def opened() -> Failing:
        return Failing(error)

    assert await ParameterStore(opened, PREFIX).get("shared/x") == found
    assert await SecretsManager(opened, PREFIX).get("shared/x") == found


async def test_the_environments_secrets_are_everybodys() -> None:
    store = EnvironmentSecrets({"SECRET_STRIPE": "sk_1", "SECRET_SHARED_MAIL_KEY": "mk", "SECRET_EMPTY": ""})
    assert await store.get(f"{OWNER}/stripe") == "sk_1"
    assert await store.get("shared/mail-key") == "mk"
    assert await store.get("shared/stripe") == SecretMissing()
    assert await store.get(f"{OWNER}/empty") == SecretMissing()


async def test_a_value_is_remembered_for_some_seconds_and_what_is_missing_is_not() -> None:
    behind, time = FakeSecrets({"o/a": "1"}), [0.0]
    store = CachedSecrets(behind, lambda: time[0])
    assert await asyncio.gather(*(store.get("o/a") for _ in range(5))) == ["1"] * 5
    assert await store.get("o/b") == SecretMissing()
    behind.values = {"o/a": "2", "o/b": "3"}
    assert (await store.get("o/a"), await store.get("o/b")) == ("1", "3")
    time[0] = SECONDS
    assert await store.get("o/a") == "2"
    assert behind.asked == ["o/a", "o/b", "o/b", "o/a"]


async def test_the_cache_forgets_the_oldest_and_keeps_nothing_of_who_asked() -> None:
    places = [f"o/{number}" for number in range(MOST + 1)]
    behind = FakeSecrets(dict.fromkeys(places, "v"))
    store = CachedSecrets(behind, lambda: 0.0)
    for place in [*places, places[0]]:
        assert await store.get(place) == "v"
    assert behind.asked.count(places[0]) == 2
    assert store._asking == {}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("off /headrace/shop", NoSecrets),
        ("environment", EnvironmentSecrets),
        ("ParameterStore /headrace/shop", CachedSecrets),
        ("SecretsManager /headrace/shop", CachedSecrets),
    ],
)
def test_the_setting_says_which_store(runtime: Runtime, setting: str, expected: type) -> None:
    from domain.jobs.catalogue import Catalogue
    from job_types import JOB_TYPES

    source = secrets(parts_on(runtime, Catalogue(JOB_TYPES), {"SECRETS": setting}))
    assert isinstance(source(), expected)
    if expected is NoSecrets:
        assert runtime.run(source().get("o/a")) == SecretsOff()
    with pytest.raises(MissingSetting, match="names no store of secrets: 'vault'"):
        secrets(parts_on(runtime, Catalogue(JOB_TYPES), {"SECRETS": "vault x"}))
