"""A lock that is missing, or was made of other requirements, is noticed before anything is built."""

from pathlib import Path

from headrace.project.requirements import digest, outdated, sources


def test_without_requirements_there_is_nothing_to_lock(tmp_path: Path) -> None:
    assert sources(tmp_path) == {}
    assert list(outdated(tmp_path)) == []


def test_what_definitions_need_is_in_both_locks(tmp_path: Path) -> None:
    both = tmp_path / "requirements.txt", tmp_path / "requirements-api.txt"
    for file in both:
        file.touch()
    assert sources(tmp_path) == {"requirements.lock": both, "requirements-api.lock": both[1:]}


def test_a_lock_is_that_of_its_requirements_as_they_are_now(tmp_path: Path) -> None:
    requirements, lock = tmp_path / "requirements.txt", tmp_path / "requirements.lock"
    requirements.write_text("pillow\n")
    assert list(outdated(tmp_path)) == [
        "requirements.txt has no lock; run `headrace lock`, which writes requirements.lock"
    ]
    lock.write_text(f"{digest((requirements,))}\npillow==13.0.0\n")
    assert list(outdated(tmp_path)) == []
    requirements.write_text("pillow\nhttpx\n")
    assert list(outdated(tmp_path)) == [
        "requirements.lock is not that of requirements.txt as it is now; run `headrace lock`"
    ]
