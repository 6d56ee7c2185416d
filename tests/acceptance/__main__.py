"""`make acceptance`: deploys, runs the steps, and writes acceptance-report.md; exits 1 if a step failed."""

import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from headrace.emulator.cloudformation import ROOT
from tests.acceptance.api import Api
from tests.acceptance.bridges import BRIDGES, apply_time_to_live
from tests.acceptance.deployment import deployed
from tests.acceptance.outside import AUDIENCE, IdentityProvider, Receiver
from tests.acceptance.steps import PAGE, Steps

REPORT = ROOT / "acceptance-report.md"


async def main(folder: Path) -> int:
    """Run all steps; the first failure ends the run."""
    began, lines, failed = time.monotonic(), list[str](), False
    with IdentityProvider(folder).running() as provider, Receiver().running() as receiver:
        parameters = {
            "JwtIssuer": provider.issuer,
            "JwtAudience": AUDIENCE,
            "CursorKey": secrets.token_hex(32),
            "CorsOrigins": PAGE,
            "HttpRequestAllowedHosts": urlsplit(receiver.url).netloc,
        }
        async with deployed(folder, parameters, provider.certificate) as stack, httpx.AsyncClient() as client:
            steps = Steps(stack, Api(stack.api_url, client), provider, receiver)
            for number, (name, step) in enumerate(steps.all, start=1):
                try:
                    mark, seen = "ok", await step()
                except Exception as error:  # noqa: BLE001 - whatever it is, the report tells it
                    mark, seen, failed = "FAILED", f"{type(error).__name__}: {error}", True
                lines.append(f"| {number} | {name} | {mark} | {seen.replace('|', '/')} |")
                print(f"{mark:<6} {number:>2} {name}: {seen}", flush=True)
                if failed:
                    break
    seconds = time.monotonic() - began
    REPORT.write_text(_report(lines, seconds, failed))
    print(f"{'FAILED' if failed else 'passed'}: {len(lines)} steps in {seconds:.0f} s; see {REPORT.name}")
    return int(failed)


def _report(lines: list[str], seconds: float, failed: bool) -> str:
    gaps = [(bridge.__doc__ or "").strip().splitlines()[0] for bridge in (*BRIDGES, apply_time_to_live)]
    return "\n".join((
        f"# Acceptance: {'FAILED' if failed else 'passed'}",
        "",
        "The artifacts of `sam build` and template.yaml, deployed by CloudFormation to MiniStack with its Lambda,",
        f"API Gateway, S3, SQS, IAM (enforced) and scheduler: {len(lines)} steps in {seconds:.0f} s.",
        "",
        "| | Step | | Seen |",
        "|---|---|---|---|",
        *lines,
        "",
        "Bridged gaps of MiniStack (`tests/acceptance/bridges.py`):",
        "",
        *(f"- {gap}" for gap in gaps),
        "",
    ))  # fmt: skip


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(asyncio.run(main(Path(temporary))))
