"""The metrics of a batch's attempts, in CloudWatch's embedded metric format."""

import json
from datetime import timedelta

import pytest

from domain.jobs.execution_results import Executed
from functions.attempts.telemetry import count_executions
from tests.factories import succeeded

SECOND = timedelta(seconds=1)


def test_one_line_counts_for_both_alarms_and_one_for_the_job_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stack")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Headrace")
    ended = [Executed(job=succeeded(), outcome="succeeded", error_code=None, waited=SECOND, ran=SECOND)] * 2
    count_executions(ended, "12")
    by_type, for_alarms = map(json.loads, capsys.readouterr().out.splitlines())
    assert by_type["Attempts"] == [2.0]
    directive = for_alarms["_aws"]["CloudWatchMetrics"][0]
    assert sorted(map(sorted, directive["Dimensions"])) == [["service"], ["service", "version"]]
    assert (for_alarms["service"], for_alarms["version"]) == ("stack", "12")
    assert (for_alarms["AttemptsEnded"], for_alarms["AttemptsFailed"]) == ([2.0], [0.0])
