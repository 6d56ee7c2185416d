"""Creates the template's tables and buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_s3.client import S3Client

    from headrace.emulator.template import Table


async def ensure_tables(client: DynamoDBClient, tables: tuple[Table, ...]) -> None:
    """Create the tables that are missing, with their TTL; existing tables are left unchanged."""
    for table in tables:
        try:
            await client.create_table(**table.create)  # type: ignore[arg-type]  # CloudFormation's names are the API's
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
            continue
        await client.get_waiter("table_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        if table.ttl_attribute is not None:
            await client.update_time_to_live(
                TableName=table.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl_attribute},
            )


async def ensure_buckets(client: S3Client, buckets: tuple[str, ...]) -> None:
    """Create the buckets that are missing."""
    for bucket in buckets:
        try:
            await client.create_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise
