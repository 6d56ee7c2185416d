"""Creates the template's queues in a queue service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from types_aiobotocore_sqs.client import SQSClient

    from headrace.emulator.queue_template import Queue

QUEUES_VARIABLE = "AWS_ENDPOINT_URL_SQS"
"""The name that AWS's SDKs agreed on for another endpoint of SQS."""


async def ensure_queues(client: SQSClient, queues: Iterable[Queue]) -> None:
    """Create the queues that are missing, dead-letter queues first; existing ones get the template's attributes."""
    for queue in sorted(queues, key=lambda each: "RedrivePolicy" in each.attributes):
        try:
            await client.create_queue(QueueName=queue.name, Attributes=queue.attributes)  # type: ignore[arg-type]  # CloudFormation's names are the API's
        except ClientError:
            found = await client.get_queue_url(QueueName=queue.name)
            await client.set_queue_attributes(QueueUrl=found["QueueUrl"], Attributes=queue.attributes)  # type: ignore[arg-type]  # as above
