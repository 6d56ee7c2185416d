"""`make sam-local`: tests every function with every sample event, and the HTTP API, under AWS's SAM CLI.

It uses this machine's Docker engine and AWS's images. Without an engine it uses a stand-in (scripts/stand_in.py) in a
separate network namespace, which has no connection to the outside in either direction.
"""

import asyncio
import ipaddress
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
from pydantic import JsonValue

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.users.user import User
from functions.adapters import job_repository, user_repository
from functions.runtime import LazyClient
from headrace.build.targets import ARCHITECTURE
from headrace.emulator.cloudformation import ROOT, function_folders
from headrace.emulator.database import DATABASE_AND_S3, embedded_database, local_credentials
from headrace.emulator.stack import api_settings, settings
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import load_stack
from scripts import stand_in
from scripts.generate import SAMPLE_JOB_ID, SAMPLE_OWNER_ID, sample_job
from scripts.sample_events import SAMPLE_EMAIL, SAMPLE_TIME

SAM = ROOT / ".tools" / "sam" / "bin" / "sam"
BUILT_HERE = ROOT / ".aws-sam" / "here"
"""What `make build-here` has built, for this machine and its Python."""
HERE = f"{sys.version_info.major}.{sys.version_info.minor}-{ARCHITECTURE}"
BUILD = ROOT / ".aws-sam" / "sam-local"
SAMPLES = ROOT / "events" / "samples"
DATABASE_PORT = 8000
API_URL = "http://127.0.0.1:3000"
INSIDE = "--inside"
STOP_SECONDS = 30
PARAMETERS = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 64}
POISON: JsonValue = [{"itemIdentifier": "100000000000000000005"}]
UNSENT: JsonValue = [{"itemIdentifier": "100000000000000000003"}]
"""There is no wake queue: what should be sent is handed back."""
# What each sample's result must contain, and the expected status of the sample job afterwards.
EXPECTED: dict[str, tuple[dict[str, JsonValue], str]] = {
    "api_submit": ({"statusCode": 202}, "queued"),
    "api_read": ({"statusCode": 200}, "queued"),
    "worker_queued_insert": ({"batchItemFailures": []}, "succeeded"),
    "worker_redriven_modify": ({"batchItemFailures": []}, "succeeded"),
    "worker_ttl_removal": ({"batchItemFailures": []}, "queued"),
    "worker_poison_record": ({"batchItemFailures": POISON}, "queued"),
    "worker_mixed_batch": ({"batchItemFailures": POISON}, "succeeded"),
    "worker_due_job_message": ({"batchItemFailures": []}, "succeeded"),
    "worker_schedule_tick_message": ({"batchItemFailures": []}, "queued"),
    "runner_job_message": ({"batchItemFailures": []}, "succeeded"),
    "recorder_retrying_modify": ({"batchItemFailures": UNSENT}, "queued"),
    "recorder_succeeded_modify": ({"batchItemFailures": []}, "queued"),
    "sweeper_schedule_tick": ({"problems": 0, "complete": True}, "queued"),
}


def main(arguments: list[str]) -> int:
    """Run all checks; returns 0 when every result was as expected."""
    if INSIDE in arguments:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with stand_in.engine(_image_name()):
            return asyncio.run(_try_everything(Path(arguments[-1]), stands_in=True))
    if stand_in.engine_runs():
        return asyncio.run(_try_everything(_built(f"3.13-{ARCHITECTURE}"), stands_in=False))
    print("no Docker engine is running: starting one, with a stand-in for AWS's image", flush=True)
    stand_in.prepare()
    built = _built(f"{stand_in.PYTHON}-{ARCHITECTURE}")
    inside = [sys.executable, "-m", "scripts.sam_local", INSIDE, str(built)]
    return subprocess.run(["unshare", "--net", *inside], check=False).returncode


def _built(target: str) -> Path:
    """The artifacts for `target`: those of `make build-here` where they are of its Python, else built now."""
    if target == HERE:
        return BUILT_HERE
    environment = _environment() | {"TARGET": target}
    subprocess.run([str(SAM), "build", "--build-dir", str(BUILD)], check=True, env=environment, capture_output=True)
    print(f"sam build, TARGET={target}", flush=True)
    return BUILD


def _image_name() -> str:
    """The name of the image that SAM looks for, computed by SAM's own code."""
    code = (
        "from samcli.local.docker.lambda_image import LambdaImage, Runtime\n"
        f"print(LambdaImage._INVOKE_REPO_PREFIX + '/' + Runtime.get_image_name_tag('python3.13', '{ARCHITECTURE}'))"
    )
    python = str(SAM.with_name("python"))
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


async def _try_everything(build: Path, *, stands_in: bool) -> int:
    began = time.monotonic()
    options = ["--config-file", str(ROOT / "samconfig.toml"), "--template", str(build / "template.yaml")]
    options += ["--parameter-overrides", f"Architecture={ARCHITECTURE}"]
    options += ["--skip-pull-image"] if stands_in else []
    with tempfile.TemporaryDirectory() as folder:
        async with _database(Path(folder)) as database:
            # At once, the API in a thread: it creates jobs of its own, and does not touch the samples'.
            api = asyncio.to_thread(asyncio.run, _try_start_api(options, Path(folder)))
            failures = sum(await asyncio.gather(_try_invocations(options, database), api))
    print(f"{'FAILED' if failures else 'passed'} in {time.monotonic() - began:.0f} s", flush=True)
    return min(failures, 1)


async def _try_invocations(options: list[str], tables: "_Tables") -> int:
    """Run README's commands, then `sam local invoke` with the samples that are not among them."""
    await tables.put_sample()
    failures = await _try_readme(options)
    for sample in sorted(EXPECTED):
        if f"{sample}.json" not in _readme_commands():
            failures += await _try_sample(sample, options, tables)
    return failures


class _Tables:
    """The sample user and job, in the tables that env.json names."""

    def __init__(self, url: str) -> None:
        stack = load_stack(PARAMETERS)
        found = settings(stack, url)
        self.client = LazyClient(url)
        self._jobs = job_repository(found, self.client)
        self._users = user_repository(api_settings(stack), self.client)
        self._jobs_table = found.jobs_table

    async def prepare(self) -> None:
        await ensure_tables(await self.client(), tuple(load_stack(PARAMETERS).tables.values()))
        admin = User(
            id=SAMPLE_OWNER_ID, email=SAMPLE_EMAIL, name="Sample", role="admin", version=1,
            created_at=SAMPLE_TIME, updated_at=SAMPLE_TIME,
        )  # fmt: skip
        await self._users.add(admin)

    async def put_sample(self) -> None:
        client = await self.client()
        await client.delete_item(TableName=self._jobs_table, Key={"id": {"S": SAMPLE_JOB_ID}})
        await self._jobs.add(Change(sample_job()), SAMPLE_TIME)

    async def sample_status(self) -> str:
        job = await self._jobs.get(SAMPLE_JOB_ID, SAMPLE_TIME)
        return job.status if isinstance(job, Job) else str(job)


@asynccontextmanager
async def _database(folder: Path) -> AsyncIterator[_Tables]:
    """Run the embedded database where containers reach it: on the bridge under Linux, on the host on a Mac."""
    os.environ.update(local_credentials())
    host = _bridge() if sys.platform == "linux" else "127.0.0.1"
    async with embedded_database(None, folder / "database.log", DATABASE_AND_S3, (host, DATABASE_PORT)) as database:
        tables = _Tables(database.url)
        await tables.prepare()
        yield tables
        await tables.client.close()


def _bridge() -> str:
    command = ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}"]
    subnet = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return str(ipaddress.ip_network(subnet)[1])


async def _try_sample(sample: str, options: list[str], tables: _Tables) -> int:
    """Run `sam local invoke` with one sample; returns 1 when the result or the job is not as expected."""
    folder = sample.split("_", maxsplit=1)[0]
    function = next(name for name, its_folder in function_folders().items() if its_folder == folder)
    await tables.put_sample()
    command = [str(SAM), "local", "invoke", function, "--event", str(SAMPLES / f"{sample}.json"), *options]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    try:
        result = json.loads(lines[-1])
    except (IndexError, ValueError):
        result = {}
    expected, status_expected = EXPECTED[sample]
    status = await tables.sample_status()
    fine = all(result.get(name) == value for name, value in expected.items()) and status == status_expected
    print(f"{'ok' if fine else 'FAILED':<6} sam local invoke {function} -e {sample}.json: "
          f"{json.dumps({name: result.get(name) for name in expected})}, the job is {status}", flush=True)  # fmt: skip
    if not fine:
        print(f"{done.stdout}\n{done.stderr}", flush=True)
    return int(not fine)


async def _try_readme(options: list[str]) -> int:
    """Run README's commands for the SAM CLI on the existing build, with `options` added."""
    functions = f'make() {{ :; }}\nsam() {{ command sam "$@" {shlex.join(options)}; }}\n'
    command = ["bash", "-euo", "pipefail", "-c", functions + _readme_commands()]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False
    )
    results = [line for line in done.stdout.splitlines() if line.startswith("{")]
    expected = ('"statusCode": 202', '"batchItemFailures": []', '"complete": true')
    fine = done.returncode == 0 and all(any(part in result for result in results) for part in expected)
    print(f"{'ok' if fine else 'FAILED':<6} the commands of README, as printed", flush=True)
    if not fine:
        print(f"{done.stdout}\n{done.stderr}", flush=True)
    return int(not fine)


def _readme_commands() -> str:
    found = re.search(r"<!-- test: sam local -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    if found is None:
        raise SystemExit("README has no commands for the SAM CLI")
    return found.group(1)


async def _try_start_api(options: list[str], folder: Path) -> int:
    """Send HTTP requests to `sam local start-api`; returns 1 when a response is not as expected."""
    outcomes: Counter[bool] = Counter()
    with serving([str(SAM), "local", "start-api", *options], folder / "start-api.log"):
        async with httpx.AsyncClient(base_url=API_URL, timeout=60) as client:
            body: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
            submitted = await client.post("/v1/jobs", json=body)
            job_path = submitted.headers.get("location", "/v1/jobs/none")
            calls = {
                "GET /healthz": (await client.get("/healthz"), 200),
                "POST /v1/jobs": (submitted, 202),
                "GET /v1/jobs/{id}": (await client.get(job_path), 200),
                "GET /v1/users/me": (await client.get("/v1/users/me"), 200),
                "POST /v1/jobs with a wrong payload": (await client.post("/v1/jobs", json={**body, "payload": 7}), 422),
                "GET /v1/jobs/{unknown}": (await client.get("/v1/jobs/0"), 404),
                "GET /openapi.json": (await client.get("/openapi.json"), 200),
                "GET /docs": (await client.get("/docs"), 200),
                "GET /": (await client.get("/"), 200),
            }
    for call, (response, expected) in calls.items():
        fine = response.status_code == expected and "errorMessage" not in response.text
        outcomes[fine] += 1
        print(f"{'ok' if fine else 'FAILED':<6} sam local start-api, {call}: {response.status_code}", flush=True)
        if not fine:
            print(f"{response.text}\n{(folder / 'start-api.log').read_text()[-3000:]}", flush=True)
    return int(outcomes[False] > 0)


@contextmanager
def serving(command: list[str], log: Path) -> Iterator[None]:
    """Run SAM's HTTP server; raises `TimeoutExpired` if it does not end when it is terminated."""
    with ExitStack() as ending, log.open("wb") as sink:
        server = subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=sink, stderr=sink)
        ending.callback(server.kill)
        ending.callback(server.wait, STOP_SECONDS)
        # Not SIGINT: background processes of a shell, and their children, ignore it, so SAM might never end.
        ending.callback(server.terminate)
        for _ in range(300):
            if re.search(r"Running on http", log.read_text()):
                break
            if server.poll() is not None:
                raise SystemExit(f"sam local start-api ended: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield


def _environment() -> dict[str, str]:
    return {**os.environ, "SAM_CLI_TELEMETRY": "0", **local_credentials()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
