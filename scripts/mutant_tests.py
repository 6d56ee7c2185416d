"""Runs tests of the tree that it is started in, in forks of a process that has loaded the libraries already.

Reads a line for each run, a file or folder of tests, and writes one: the exit code of pytest, which stops at the first
failure. To load the libraries takes longer than most runs that find a mutant.
"""

import importlib
import os
import signal
import sys
import time
from typing import NoReturn

import pytest

LIBRARIES = (
    "_pytest.assertion.rewrite", "_pytest.python", "aioboto3.session", "aiobotocore.session", "anyio.pytest_plugin",
    "aws_lambda_powertools", "boto3", "faker.contrib.pytest.plugin", "fastapi", "httpx", "hypothesis", "mangum", "moto",
    "pydantic", "pytest_asyncio.plugin", "pytest_cov.plugin", "samtranslator.translator.transform",
    "starlette.testclient", "xdist.plugin", "yaml",
)  # fmt: skip
TESTS_SECONDS = 120
"""Some mutants loop for ever. The longest tests take a quarter of this."""


def main() -> None:
    """Serve until the input ends."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        print(_run_apart(line.strip()), flush=True)


def _run_apart(tests: str) -> int:
    """Run tests in a fork; returns pytest's exit code, or that of a process that was killed, as it took too long."""
    child = os.fork()
    if not child:
        _run(tests)
    ends = time.monotonic() + TESTS_SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > ends:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)


def _run(tests: str) -> NoReturn:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.exit(pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", tests]))


if __name__ == "__main__":
    main()
