"""Checks for memory growth: ten thousand warm invocations of each artifact, on MiniStack."""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.artifacts import build_own
from benchmarks.cold_start import PARAMETERS, an_event
from functions.adapters import user_repository
from functions.runtime import LazyClient
from headrace.authoring.frozen import Frozen
from headrace.build.targets import HERE
from headrace.emulator.database import embedded_database, local_credentials
from headrace.emulator.stack import api_settings
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import Stack, load_stack
from scripts.generate import sample_user

INVOCATIONS = 10_000
WARM_UP = 1_000
CHILD = """
import importlib, json, os, sys
class Context:
    aws_request_id = "warm"; function_name = "warm"; function_version = "1"
    memory_limit_in_mb = 512; invoked_function_arn = "arn:warm"
    def get_remaining_time_in_millis(self): return 60000
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
sys.path.insert(0, sys.argv[1])
handler = importlib.import_module(sys.argv[2]).handler
marks = []
for number, line in enumerate(sys.stdin, start=1):
    response = handler(json.loads(line), Context())
    if response.get("statusCode", 202) != 202 or response.get("batchItemFailures"):
        raise SystemExit(f"returned {response}")
    if number in (int(sys.argv[3]), int(sys.argv[4])):
        marks.append((resident(), len(os.listdir("/proc/self/fd"))))
os.write(2, json.dumps(marks).encode())
os._exit(0)
"""


class Memory(Frozen):
    """Resident kilobytes and open descriptors of one function's process."""

    function: str
    warm: int
    """After a thousand invocations."""
    after: int
    """After ten thousand."""
    descriptors_warm: int
    descriptors_after: int


async def measure() -> tuple[Memory, ...]:
    """Measure the functions one after the other; Linux only."""
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with embedded_database(None, folder / "database.log") as database:
            client = LazyClient(database.url)
            await ensure_tables(await client(), tuple(stack.tables.values()))
            await user_repository(api_settings(stack), client).add(sample_user())
            found = []
            # The API comes last: its jobs are never run here, and would keep the sweeper busy.
            for function in ("sweeper", "worker", "api"):
                build_own(f"{function.capitalize()}Function", folder / function, HERE)
                found.append(await _endured(function, folder / function, client, stack, database.url))
            await client.close()
    return tuple(found)


async def _endured(function: str, artifact: Path, client: LazyClient, stack: Stack, url: str) -> Memory:
    base: str = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001 - without this environment
    process = await asyncio.create_subprocess_exec(
        base, "-S", "-c", CHILD, str(artifact), f"functions.{function}.handler", str(WARM_UP), str(INVOCATIONS),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={
            **stack.functions[f"{function.capitalize()}Function"].environment, **local_credentials(),
            "AWS_ENDPOINT_URL_DYNAMODB": url, "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd=artifact,
    )  # fmt: skip
    if process.stdin is None or process.stderr is None:
        raise RuntimeError("the process has no pipes")
    for _ in range(INVOCATIONS):
        event = await an_event(function, "headrace", client, stack, url)
        process.stdin.write(json.dumps(event).encode() + b"\n")
        await process.stdin.drain()
    process.stdin.close()
    output = (await process.stderr.read()).decode()
    await process.wait()
    (warm, descriptors_warm), (after, descriptors_after) = json.loads(output.splitlines()[-1])
    return Memory(
        function=function,
        warm=warm,
        after=after,
        descriptors_warm=descriptors_warm,
        descriptors_after=descriptors_after,
    )


def table(found: tuple[Memory, ...]) -> str:
    """Format the results as a Markdown table."""
    return "\n".join((
        f"| | MB after {WARM_UP:,} | MB after {INVOCATIONS:,} | growth | descriptors |",
        "|---|---|---|---|---|",
        *(
            f"| {each.function} | {each.warm / 1000:.1f} | {each.after / 1000:.1f} "
            f"| {(each.after / each.warm - 1) * 100:+.1f} % | {each.descriptors_warm}, then {each.descriptors_after} |"
            for each in found
        ),
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
