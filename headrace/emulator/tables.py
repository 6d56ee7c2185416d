"""Creates the template's tables in a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

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
