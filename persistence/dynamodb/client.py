"""The DynamoDB client: how it is made, and what its failures mean."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from aiohttp import ClientPayloadError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as EndpointError
from botocore.parsers import ResponseParserError

from domain.results import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from types_aiobotocore_dynamodb.client import DynamoDBClient

CONFIG = AioConfig(
    # A call and its retries stay far below any function's timeout: 3 x (1 + 3) s at the worst.
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=32,
    # The converters are typed; the service checks again. Worth a fifth of a call's CPU time.
    parameter_validation=False,
    # The SDK's own is put together anew for each request, twice: a tenth of a call's CPU time.
    user_agent="headrace",
)

_REGION_OF_EMULATORS = "us-east-1"
_NO_SETTINGS: Mapping[str, tuple[None, None, str | None, None]] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""For botocore: key in its file, environment variable, default, conversion."""

STORAGE_ERRORS = (ClientError, BotoCoreError, ResponseParserError, asyncio.TimeoutError, ClientPayloadError)
"""What a call on the client may raise for reasons outside this code; the last while S3's body is read, whose connection
broke."""

_THROTTLED = frozenset({
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "LimitExceededException",
})  # fmt: skip
_PASSING = frozenset({"TransactionInProgressException", "TransactionConflictException"})
_SERVER_ERROR = 500


class ClientSource(Protocol):
    """Gives the client of the running event loop, made at the first call."""

    async def __call__(self) -> DynamoDBClient: ...


def open_client(endpoint_url: str | None, config: AioConfig = CONFIG) -> AbstractAsyncContextManager[DynamoDBClient]:
    """A client for AWS (None) or for another endpoint.

    Credentials come from the environment, or else from the endpoint, `http://KEY:SECRET@HOST`: then no profile and no
    file of this machine's AWS settings is used.
    """
    session, url = session_for(endpoint_url)
    return session.client("dynamodb", endpoint_url=url, config=config)


def session_for(endpoint_url: str | None) -> tuple[aioboto3.Session, str | None]:
    """The session by which to reach an endpoint as `open_client` does, and the endpoint without credentials."""
    address = urlsplit(endpoint_url or "")
    if endpoint_url is None or address.username is None:
        return aioboto3.Session(), endpoint_url
    session = aioboto3.Session(
        aws_access_key_id=address.username,
        aws_secret_access_key=address.password,
        region_name=_REGION_OF_EMULATORS,
        botocore_session=AioSession(session_vars=_NO_SETTINGS),
    )
    return session, address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def as_result(error: Exception) -> StorageUnavailable:
    """Map a failure of the client to its result; it says nothing about the data."""
    match error:
        case ClientError():
            return _from_response(error)
        case ConnectTimeoutError() | ReadTimeoutError() | asyncio.TimeoutError():
            return StorageUnavailable(reason="timeout", detail=type(error).__name__)
        case HTTPClientError() | EndpointError() | ClientPayloadError() | IncompleteReadError():
            return StorageUnavailable(reason="connection", detail=type(error).__name__)
        case ResponseParserError():
            return StorageUnavailable(reason="server", detail="unreadable answer")
        case _:
            return StorageUnavailable(reason="rejected", detail=type(error).__name__)


def _from_response(error: ClientError) -> StorageUnavailable:
    code = error.response.get("Error", {}).get("Code", "unknown")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or code in _PASSING:
        return StorageUnavailable(reason="throttled", detail=code)
    if status >= _SERVER_ERROR:
        return StorageUnavailable(reason="server", detail=code)
    return StorageUnavailable(reason="rejected", detail=code)
