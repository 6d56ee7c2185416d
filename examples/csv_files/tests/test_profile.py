"""The job type, run without a stack."""

from headrace import File
from headrace.testing import JobRun, run_job

from csv_files.profile import CsvFile, CsvFileProfile, profile_file

ID = "0b9f5f6e-4c1d-4e54-9b57-6d2f6f0c7a11"


def profiled(content: bytes) -> JobRun[CsvFileProfile]:
    return run_job(profile_file, CsvFile(file=File(id=ID)), files={ID: content})


def test_a_file_is_summarised_and_a_report_is_saved() -> None:
    run = profiled(b"city,people\nBergen,291940\nBodo,\n")
    people = run.result.columns[1]
    assert (run.result.rows, people.numbers, people.empty, people.max) == (2, 1, 1, 291940)
    assert run.saved["profile.csv"].startswith(b"name,empty,numbers")


def test_an_empty_file_has_no_columns() -> None:
    assert profiled(b"").result.columns == []


def test_a_malformed_file_fails_at_once() -> None:
    run = profiled(b'a,b\n"1,2\n')
    assert run.error is not None
    assert (run.status, run.error.code) == ("failed", "malformed")
