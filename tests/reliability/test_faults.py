"""Runs real processes, a real proxy and a real database; `make reliability` does the same at full size."""

from tests.reliability.failing import RULES
from tests.reliability.faults import SMALL, withstand


async def test_no_accepted_job_is_lost_and_no_change_is_committed_twice() -> None:
    report = await withstand(SMALL)
    assert report.accepted == SMALL.jobs
    assert report.ended == {"succeeded": SMALL.jobs}
    assert report.effects_keyed == SMALL.jobs <= report.effects <= report.attempts
    assert report.faults["database restarted"] == 1
    assert report.faults["outage"] > 0
    assert sum(report.faults.get(rule, 0) for rule in RULES) > 0
