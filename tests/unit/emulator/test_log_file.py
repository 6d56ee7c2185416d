"""A function's log: whole lines, bounded, and shown as they come."""

import os
from collections.abc import Sequence
from pathlib import Path

from headrace.emulator.log_file import LogFile, LogPipe, older


class Piped:
    """A pipe whose writing end the test holds."""

    def __init__(self, log: LogFile) -> None:
        self.seen: list[str] = []
        self.pipe = LogPipe(log, self._see)
        with self.pipe.writing() as end:
            self.end = os.dup(end)

    def _see(self, lines: Sequence[str]) -> None:
        self.seen.extend(lines)


async def test_lines_are_written_and_seen_whole(tmp_path: Path) -> None:
    piped = Piped(LogFile(tmp_path / "log"))
    os.write(piped.end, b"one\ntw")
    piped.pipe.drain()
    assert piped.seen == ["one"]
    os.write(piped.end, b"o\n\xff\n")
    piped.pipe.drain()
    assert piped.seen == ["one", "two", "\N{REPLACEMENT CHARACTER}"]
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n\xff\n"
    os.close(piped.end)
    piped.pipe.close()


async def test_an_unfinished_line_is_kept_when_the_process_ends(tmp_path: Path) -> None:
    piped = Piped(LogFile(tmp_path / "log"))
    os.write(piped.end, b"last words")
    os.close(piped.end)
    piped.pipe.close()
    piped.pipe.close()
    assert piped.seen == ["last words"]


async def test_a_process_left_behind_does_not_keep_the_pipe_open(tmp_path: Path) -> None:
    piped = Piped(LogFile(tmp_path / "log"))
    os.write(piped.end, b"said\n")
    piped.pipe.close()
    assert piped.seen == ["said"]
    os.close(piped.end)


def test_a_log_never_grows_past_its_bound_and_keeps_what_was_before(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", max_bytes=100)
    for number in range(40):
        log.append(f"line {number}\n".encode())
    kept = older(log.path).read_text() + log.path.read_text()
    assert log.path.stat().st_size <= 110
    assert older(log.path).stat().st_size <= 110
    assert kept.splitlines()[-1] == "line 39"
    assert len(kept.splitlines()) > 10
