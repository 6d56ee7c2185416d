"""What a stopping stack says about jobs that it could not finish."""

from collections import Counter

from headrace.emulator.unfinished import unfinished_text


def test_the_number_of_unfinished_jobs_is_told_by_status() -> None:
    assert unfinished_text(Counter(running=2, queued=5)) == (
        "7 jobs did not finish (2 running, 5 queued); the next `headrace dev` in this folder runs them again"
    )
    assert unfinished_text(Counter(running=1)).startswith("1 job did not finish (1 running)")
