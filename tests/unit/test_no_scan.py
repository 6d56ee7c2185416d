"""No table is scanned: a scan reads, and bills, every item."""

from headrace.emulator.cloudformation import ROOT


def test_no_code_scans_a_table() -> None:
    folders = ("domain", "functions", "headrace", "persistence")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert files
    assert [str(file) for file in files if ".scan(" in file.read_text()] == []
