"""Every claim in the list has its test, and every test its claim."""

import re
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
LIST = (HERE.parent / "claims_of_others.md").read_text()
LISTED = re.findall(r"^\| ([RUSC]\d\d) \|.*\| (.+?) \|$", LIST, re.MULTILINE)
ELSEWHERE = {"R22": "test_a_job_of_a_type_that_no_worker_knows_expires_in_the_end_and_says_so"}
"""Tried where a worker can know another type than the API."""


def test_every_claim_is_tried_and_every_trial_is_listed() -> None:
    found = Counter(
        number.upper()
        for path in HERE.glob("test_*.py")
        for number in re.findall(r"^(?:async )?def test_([rusc]\d\d)_", path.read_text(), re.MULTILINE)
    )
    assert found + Counter(ELSEWHERE.keys()) == Counter(number for number, _ in LISTED)
    others = (HERE.parents[1] / "unit/jobs/test_sweeping.py").read_text()
    assert all(f"def {name}(" in others for name in ELSEWHERE.values())


def test_every_result_is_one_of_three_and_a_difference_has_a_reason() -> None:
    for number, result in LISTED:
        word, _, reason = result.partition(" ")
        assert word.rstrip(":;,.") in {"same", "differs", "less"}, number
        assert word != "differs" or reason, number
