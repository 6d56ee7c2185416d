"""The mixed work of a soak, and a client that submits it at a steady pace."""

import asyncio
import time
from itertools import count

import httpx

MIX = {"soak.short": 12, "soak.runner": 2, "soak.lane": 1, "soak.retried": 2, "soak.steps": 3}
"""Jobs of each type in a batch."""
BATCH = sum(MIX.values())
LONG_TEXT = "x" * 9000
TOLD = "soak.lane"
"""Jobs of this type are told to a webhook."""
EVERY_MINUTE = "* * * * *"


def batch(number: int) -> list[dict[str, object]]:
    """The jobs of one batch: of the short ones, one has a payload that is a blob, one is delayed."""
    jobs: list[dict[str, object]] = [
        {"type": type, "payload": {"seconds": 0.5 if type == "soak.runner" else 0.01}}
        for type, times in MIX.items()
        for _ in range(times)
    ]
    jobs[0] = {"type": "soak.short", "payload": {"text": LONG_TEXT}}
    jobs[1] = {"type": "soak.short", "payload": {}, "delay_seconds": 1 + number % 20}
    return jobs


class Submitter:
    """Submits batches under idempotency keys, and repeats what was not accepted."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._numbers = count()
        self.accepted: set[str] = set()
        """Ids of jobs."""
        self.told: set[str] = set()
        """Of these, the ones whose end a webhook tells."""
        self.repeated = 0
        """Requests that were sent again."""

    async def at_pace(self, jobs_a_second: float, seconds: float) -> None:
        """Submit at a steady pace; a fault of the API makes it late, and it catches up."""
        began, every = time.monotonic(), BATCH / jobs_a_second
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds / every)):
                await asyncio.sleep(began + number * every - time.monotonic())
                group.create_task(self.one_batch())

    async def one_batch(self) -> None:
        """Submit one batch, until all of its jobs are accepted."""
        number = next(self._numbers)
        while True:
            results = await self._results(number)
            jobs = [each["job"] for each in results if isinstance(each["job"], dict)]
            if results and len(jobs) == len(results):
                self.accepted |= {str(job["id"]) for job in jobs}
                self.told |= {str(job["id"]) for job in jobs if job["type"] == TOLD}
                return
            self.repeated += 1
            await asyncio.sleep(0.5)

    async def _results(self, number: int) -> list[dict[str, object]]:
        try:
            answer = await self._client.post(
                "/v1/jobs/batch", json={"jobs": batch(number)}, headers={"idempotency-key": f"batch-{number}"}
            )
        except httpx.TransportError:
            return []
        if answer.is_server_error:
            return []
        results: list[dict[str, object]] = answer.raise_for_status().json()["results"]
        return results
