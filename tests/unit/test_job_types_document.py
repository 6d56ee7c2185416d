"""Every block of docs/job-types.md runs as it is printed, and its job types can be registered."""

import re

import pytest

from domain.jobs.catalogue import Catalogue
from headrace.emulator.cloudformation import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "job-types.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_runs_and_declares_job_types(number: int) -> None:
    names: dict[str, object] = {"__name__": f"block_{number}"}
    exec(compile(BLOCKS[number], f"docs/job-types.md, block {number}", "exec"), names)
    members = names.get("JOB_TYPES") or [each for each in names.values() if hasattr(each, "definition")]
    assert isinstance(members, tuple | list)
    assert Catalogue(members).names()
