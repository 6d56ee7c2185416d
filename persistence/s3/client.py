"""The S3 client: how it is made. What its failures mean is in `persistence/dynamodb/client.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aiobotocore.config import AioConfig

from persistence.dynamodb.client import session_for

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from types_aiobotocore_s3.client import S3Client


class S3ClientSource(Protocol):
    """Gives the client of the running event loop, made at the first call: its model takes longer to load than a job."""

    async def __call__(self) -> S3Client: ...


def open_s3_client(endpoint_url: str | None) -> AbstractAsyncContextManager[S3Client]:
    """A client for AWS (None) or for another endpoint; its credentials are found as by DynamoDB's `open_client`."""
    config = AioConfig(
        # Two calls after one another end within the API's timeout: 2 x (1 + 5) s each, at the worst.
        connect_timeout=1,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=32,
        parameter_validation=False,
        user_agent="headrace",
        signature_version="s3v4",  # in us-east-1 links would else be signed by version 2, which binds no header
        request_checksum_calculation="when_required",  # a link would else bind the checksum of nothing
        response_checksum_validation="when_required",
    )
    session, url = session_for(endpoint_url)
    return session.client("s3", endpoint_url=url, config=config)
