"""Every example ends in the same way by Headrace and by the SDK of Lambda durable functions."""

import json
import subprocess
from collections.abc import Mapping

import pytest

from headrace.emulator.cloudformation import ROOT
from headrace.testing import run_job
from tests.acceptance.durable.examples import EXAMPLES
from tests.acceptance.durable.ours.driving import outcome
from tests.acceptance.durable.ours.models import Nothing
from tests.acceptance.durable.ours.steps import at_most_once

PYTHON = ROOT / ".tools" / "durable-sdk" / "bin" / "python"


@pytest.fixture(scope="module")
def by_the_sdk() -> Mapping[str, dict[str, object]]:
    """The outcomes by the SDK, in whose environment Headrace is not installed."""
    assert PYTHON.exists(), "make .tools/durable-sdk/.done installs the SDK"
    command = [str(PYTHON), "-m", "tests.acceptance.durable.sdk"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes: dict[str, dict[str, object]] = json.loads(done.stdout)
    return outcomes


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_handler_ends_as_the_example_says(name: str) -> None:
    example = EXAMPLES[name]
    ended = await outcome(name, example)
    assert ended.result == example.result, ended.job.error
    assert ended.job.status == ("failed" if example.result is None else "succeeded")
    assert example.effects is None or ended.effects == example.effects


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_sdk_ends_in_the_same_way(name: str, by_the_sdk: Mapping[str, dict[str, object]]) -> None:
    example, ended = EXAMPLES[name], by_the_sdk[name]
    assert ended["result"] == example.result, ended["error"]
    assert ended["failed"] == (example.result is None)
    assert example.effects is None or ended["effects"] == example.effects


def test_an_effect_that_may_have_been_made_is_not_made_again() -> None:
    run = run_job(at_most_once, Nothing(), remembered={"began": "by a worker that died"})
    assert run.error is not None
    assert (run.status, run.error.code) == ("failed", "failed")
