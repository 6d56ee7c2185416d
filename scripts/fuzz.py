"""Runs Schemathesis against the local stack, as a member and as an admin; called by `make fuzz`.

Every request is generated from the OpenAPI document. Two checks are excluded because they do not apply:
`positive_data_acceptance` (a request valid by schema may be refused for its meaning: an unknown job type, an invented
cursor) and `unsupported_method` (like API Gateway, the gateway responds with 404, not 405, to a method without route).
"""

import asyncio
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headrace.emulator.cloudformation import ROOT
from headrace.emulator.directory import LOCAL_ADMIN, create_user, ensure_local_admin
from headrace.emulator.observer import OnStderr, Weight
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.tokens import local_authority

SCHEMATHESIS = ROOT / ".tools" / "schemathesis" / "bin" / "schemathesis"
MEMBER = "member@example.com"
LEFT_OUT = "positive_data_acceptance,unsupported_method"
MIN_CALLS = 2000
REFUSALS = ["400", "401", "403", "404", "406", "409", "413", "414", "415", "422", "428", "431", "5xx"]
CONFIG = f"""
[checks]
negative_data_rejection.expected-statuses = {REFUSALS}

# The response to a batch is 207, with a problem document for each invalid entry.
[[operations]]
include-path = "/v1/jobs/batch"
checks.negative_data_rejection.expected-statuses = {["207", *REFUSALS]}
"""


class ExceptRefusals:
    """An `Observer` that prints what went wrong, without a line for each of the many tokens that are refused."""

    def __init__(self) -> None:
        self._stderr = OnStderr()
        self.wrote = self._stderr.wrote
        self.crashed = self._stderr.crashed
        self.cannot_start = self._stderr.cannot_start

    def report(self, text: str, weight: Weight) -> None:
        """Print a problem of the stack itself."""
        if not text.startswith("401 "):
            self._stderr.report(text, weight)


async def main() -> int:
    """Fuzz the API; returns 0 when no check failed and enough requests were made."""
    with tempfile.TemporaryDirectory(prefix="headrace-fuzz-") as temporary:
        folder = Folder(Path(temporary) / ".headrace")
        async with running_stack(folder, Options(port=0, log_level="WARNING"), observer=ExceptRefusals()) as running:
            await ensure_local_admin(folder, running.endpoint_url)
            await create_user(folder, running.endpoint_url, MEMBER, "Member", "member")
            calls, failed = 0, False
            for email in (MEMBER, LOCAL_ADMIN):
                token = local_authority(folder).mint(email, datetime.now(UTC), timedelta(hours=1))
                code, made = await asyncio.to_thread(_run, running.url, token, Path(temporary))
                calls, failed = calls + made, failed or code != 0
    print(f"{calls} calls; {'a check failed' if failed else 'no check failed'}")
    return 1 if failed or calls < MIN_CALLS else 0


def _run(url: str, token: str, folder: Path) -> tuple[int, int]:
    """Run Schemathesis; returns its exit code and the number of requests it made."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    done = subprocess.run(
        [
            str(SCHEMATHESIS), "--config-file", str(config), "run", f"{url}/openapi.json",
            "--header", f"Authorization: Bearer {token}",
            "--checks", "all", "--exclude-checks", LEFT_OUT,
            "--phases", "examples,fuzzing,stateful",
            "--max-examples", "70", "--workers", "4", "--seed", "20261123",
            "--suppress-health-check", "all", "--continue-on-failure", "--generation-database", "none",
        ],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"(\d+) generated", done.stdout)
    if done.returncode != 0 or found is None:
        print(done.stdout[-20000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode, int(found.group(1)) if found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
