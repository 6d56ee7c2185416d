"""Cold starts: CPU time from interpreter start to a function's first response, including imports and clients.

Compares the artifact of `sam build` with the naive handler, which runs on the same versions of the packages as
installed, not byte-compiled. Each start is a separate process without any other package; the database is MiniStack.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from pydantic import JsonValue

from benchmarks.artifacts import build_own
from domain.jobs import transitions
from domain.jobs.job import Job
from domain.jobs.transitions import NewJob
from functions.adapters import job_repository, user_repository
from functions.runtime import LazyClient
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.build.targets import HERE
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import embedded_database, local_credentials
from headrace.emulator.stack import api_settings, settings
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import Stack, load_stack
from persistence.converters.dynamo_to_domain import job_to_item
from scripts.generate import SAMPLE_OWNER_ID, sample_user, stream_record

STARTS = 9
PARAMETERS = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 64}
TARGETS = {"api": 0.55, "worker": 0.5, "sweeper": 0.5}
CHILD = """
import importlib, json, os, sys, time
class Context:
    aws_request_id = "cold"; function_name = "cold"; function_version = "1"
    memory_limit_in_mb = 512; invoked_function_arn = "arn:cold"
    def get_remaining_time_in_millis(self): return 60000
sys.path.insert(0, sys.argv[1])
event = json.load(sys.stdin)
response = importlib.import_module(sys.argv[2]).handler(event, Context())
cpu = time.process_time()
sys.stdout.flush()
os.write(2, json.dumps([cpu * 1000, response], default=str).encode())
os._exit(0)
"""


class ColdStart(Frozen):
    """Median CPU milliseconds of the cold starts of one function."""

    function: str
    naive: float
    """The naive handler on Headrace's packages, as installed."""
    naive_compiled: float
    naive_boto3: float
    """The naive handler on boto3, as installed: no aiohttp, no aiobotocore."""
    headrace: float
    target: float
    """The largest acceptable `ratio`."""

    @property
    def ratio(self) -> float:
        """Headrace's time divided by that of the naive handler as installed."""
        return self.headrace / self.naive


async def measure() -> tuple[ColdStart, ...]:
    """Measure every function, interleaved, so that load on the machine affects all of them alike."""
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        places = _places(folder)
        async with embedded_database(None, folder / "database.log") as database:
            client = LazyClient(database.url)
            await ensure_tables(await client(), tuple(stack.tables.values()))
            await user_repository(api_settings(stack), client).add(sample_user())
            times: dict[tuple[str, str], list[float]] = {}
            for _ in range(STARTS):
                for (function, kind), (place, module) in places.items():
                    event = await an_event(function, kind, client, stack, database.url)
                    times.setdefault((function, kind), []).append(_start(place, module, event, stack, database.url))
            await client.close()
    medians = {key: statistics.median(values) for key, values in times.items()}
    like = {"sweeper": "worker"}
    return tuple(
        ColdStart(
            function=function,
            naive=medians[like.get(function, function), "naive"],
            naive_compiled=medians[like.get(function, function), "naive compiled"],
            naive_boto3=medians[like.get(function, function), "naive boto3"],
            headrace=medians[function, "headrace"],
            target=target,
        )
        for function, target in TARGETS.items()
    )


def _places(folder: Path) -> dict[tuple[str, str], tuple[Path, str]]:
    """Build each kind of each function; returns the folder of its code and the module of its handler."""
    naive, compiled = folder / "naive", folder / "naive-compiled"
    subprocess.run(
        [str(ROOT / ".venv/bin/uv"), "pip", "install", "--quiet", "--require-hashes", "--link-mode", "copy",
         "--target", str(naive), "--requirement", str(ROOT / "requirements/function-api.txt")],
        check=True,
    )  # fmt: skip
    shutil.copytree(ROOT / "benchmarks/naive", naive / "naive", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(naive, compiled)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(compiled)], check=True)
    places = {}
    for function in TARGETS:
        artifact = folder / function
        build_own(f"{function.capitalize()}Function", artifact, HERE)
        places[function, "headrace"] = (artifact, f"functions.{function}.handler")
    for function in ("api", "worker"):
        places[function, "naive"] = (naive, f"naive.aio_{function}")
        places[function, "naive compiled"] = (compiled, f"naive.aio_{function}")
        places[function, "naive boto3"] = (naive, f"naive.{function}")
    return places


async def an_event(function: str, kind: str, client: LazyClient, stack: Stack, url: str) -> JsonValue:
    """Create an event for this function; for the worker, store a job first and return its stream record."""
    match function:
        case "api":
            return sample("api_submit")
        case "worker":
            payload = JsonText('{"csv":"city,people\\nBergen,291940\\n"}')
            new = NewJob(
                id=str(uuid.uuid4()), owner_id=SAMPLE_OWNER_ID, type="csv.profile", payload=payload, max_attempts=3
            )
            change = transitions.submit(new, Policy(), datetime.now(UTC))
            stored = await job_repository(settings(stack, url), client).add(change, datetime.now(UTC))
            if not isinstance(stored, Job):
                raise TypeError(f"not stored: {stored}")
            image: dict[str, JsonValue] = json.loads(json.dumps(job_to_item(stored, "write-1")))
            if kind != "headrace":
                image["payload"] = {"M": {"csv": {"S": "city,people\nBergen,291940\n"}}}
            return {"Records": [stream_record("1", "INSERT", stored.id, new=image)]}
        case _:
            return sample("sweeper_schedule_tick")


def sample(name: str) -> JsonValue:
    """Read an event of `events/samples`."""
    document: JsonValue = json.loads((ROOT / "events" / "samples" / f"{name}.json").read_text())
    return document


def _start(place: Path, module: str, event: JsonValue, stack: Stack, url: str) -> float:
    """Measure the CPU milliseconds of one process; raises when the function's response is wrong."""
    environment = {
        **{name: value for function in stack.functions.values() for name, value in function.environment.items()},
        **local_credentials(),
        "AWS_ENDPOINT_URL_DYNAMODB": url,
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    base = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001 - the interpreter without this environment
    done = subprocess.run(
        [base, "-S", "-c", CHILD, str(place), module],
        input=json.dumps(event), capture_output=True, text=True, check=True, env=environment, cwd=place,
    )  # fmt: skip
    milliseconds, response = json.loads(done.stderr.splitlines()[-1])
    if (
        response.get("statusCode") != HTTPStatus.ACCEPTED
        and response.get("batchItemFailures") != []
        and "moved" not in response
    ):
        raise ValueError(f"{module} returned {response}")
    return float(milliseconds)


def table(found: tuple[ColdStart, ...]) -> str:
    """Format the results as a Markdown table."""
    lines = [
        "| CPU ms to the first response | Headrace | naive | ratio | target | naive, byte-compiled | naive on boto3 |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {each.function} | {each.headrace:.0f} | {each.naive:.0f} | {each.ratio:.2f} | {each.target} "
            f"| {each.naive_compiled:.0f} | {each.naive_boto3:.0f} |"
            for each in found
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
