"""Reports the jobs that a stopping stack could not finish."""

import sys
from collections import Counter

from botocore.exceptions import BotoCoreError, ClientError

from functions.runtime import LazyClient
from headrace.emulator.template import Stack

UNFINISHED = ("running", "queued")


async def report_unfinished(stack: Stack, endpoint_url: str) -> None:
    """Print how many jobs still run or wait for a worker; the next start of the stack continues with them."""
    client = LazyClient(endpoint_url)
    try:
        counts = await _counts(client, sorted({mapping.table for mapping in stack.mappings}))
    except (ClientError, BotoCoreError) as error:
        print(f"the jobs that did not finish cannot be counted: {type(error).__name__}", file=sys.stderr)
        return
    finally:
        await client.close()
    if counts.total():
        print(unfinished_text(counts), file=sys.stderr)


def unfinished_text(counts: Counter[str]) -> str:
    """The line for the terminal."""
    shown = ", ".join(f"{counts[status]} {status}" for status in UNFINISHED if counts[status])
    jobs = "job" if counts.total() == 1 else "jobs"
    return f"{counts.total()} {jobs} did not finish ({shown}); the next `headrace dev` in this folder runs them again"


async def _counts(client: LazyClient, tables: list[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for table in tables:
        start: dict[str, object] = {}
        while True:
            page = await (await client()).scan(
                TableName=table,
                FilterExpression="#status IN (:running, :queued)",
                ProjectionExpression="#status",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={f":{status}": {"S": status} for status in UNFINISHED},
                **start,  # type: ignore[arg-type]  # the next page's key, as DynamoDB returned it
            )
            counts.update(item["status"]["S"] for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    return counts
