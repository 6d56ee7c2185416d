"""Secrets in Parameter Store and in Secrets Manager, under one prefix."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, cast

from botocore.exceptions import ClientError

from domain.secrets.store import SecretForbidden, SecretMissing
from persistence.dynamodb.client import CONFIG, STORAGE_ERRORS, as_result, session_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from domain.secrets.store import NoSecret, SecretFound

_MISSING = frozenset({"ParameterNotFound", "ParameterVersionNotFound", "ResourceNotFoundException"})
_FORBIDDEN = frozenset({"AccessDeniedException", "AccessDenied"})


class ParameterClient(Protocol):
    """The part of Systems Manager's client that is used."""

    async def get_parameter(self, *, Name: str, WithDecryption: bool) -> Mapping[str, object]: ...


class SecretClient(Protocol):
    """The part of Secrets Manager's client that is used."""

    async def get_secret_value(self, *, SecretId: str) -> Mapping[str, object]: ...


class ParameterSource(Protocol):
    """Gives the client of the running event loop, made at the first call."""

    async def __call__(self) -> ParameterClient: ...


class SecretClientSource(Protocol):
    """Likewise."""

    async def __call__(self) -> SecretClient: ...


@asynccontextmanager
async def open_parameter_client(endpoint_url: str | None = None) -> AsyncIterator[ParameterClient]:
    """A client for AWS (None), or for an endpoint as of DynamoDB's `open_client`."""
    session, url = session_for(endpoint_url)
    async with session.client("ssm", endpoint_url=url, config=CONFIG) as client:
        yield cast("ParameterClient", client)


@asynccontextmanager
async def open_secret_client(endpoint_url: str | None = None) -> AsyncIterator[SecretClient]:
    """Likewise."""
    session, url = session_for(endpoint_url)
    async with session.client("secretsmanager", endpoint_url=url, config=CONFIG) as client:
        yield cast("SecretClient", client)


class ParameterStore:
    """The `SecretStore` on parameters called `PREFIX/PLACE`."""

    def __init__(self, client: ParameterSource, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def get(self, place: str) -> SecretFound:
        try:
            found = await (await self._client()).get_parameter(Name=f"{self._prefix}/{place}", WithDecryption=True)
        except STORAGE_ERRORS as error:
            return _failure(error)
        parameter = found.get("Parameter")
        return _text(parameter.get("Value") if isinstance(parameter, dict) else None)


class SecretsManager:
    """The `SecretStore` on secrets of Secrets Manager called `PREFIX/PLACE`, with text for a value."""

    def __init__(self, client: SecretClientSource, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def get(self, place: str) -> SecretFound:
        try:
            found = await (await self._client()).get_secret_value(SecretId=f"{self._prefix}/{place}")
        except STORAGE_ERRORS as error:
            return _failure(error)
        return _text(found.get("SecretString"))


def _text(value: object) -> SecretFound:
    return value if isinstance(value, str) and value else SecretMissing()


def _failure(error: Exception) -> NoSecret:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    if code in _MISSING:
        return SecretMissing()
    return SecretForbidden() if code in _FORBIDDEN else as_result(error)
