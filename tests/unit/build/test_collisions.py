"""A requirement that would take the place of our own code is refused; one with names of its own is not."""

from pathlib import Path

from headrace.build.collisions import collisions

OWN = frozenset({"domain", "functions", "headrace", "job_types", "persistence"})


def installed(folder: Path, release: str, *paths: str) -> Path:
    """What an installer leaves of a release."""
    record = folder / f"{release}.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    listed = (*paths, f"{release}.dist-info/METADATA", f"{release}.dist-info/RECORD", "../../bin/tool")
    record.write_text("".join(f"{path},sha256=x,1\n" for path in listed))
    return folder


def refused(folder: Path, release: str, *paths: str) -> tuple[str, ...]:
    return collisions(installed(folder, release, *paths), OWN, "requirements/function.txt")


def test_a_requirement_with_a_package_of_our_name_is_named_with_it(tmp_path: Path) -> None:
    (sentence,) = refused(tmp_path, "cloud_kit-1.2", "functions/__init__.py", "functions/http.py", "cloud_kit/x.py")
    assert sentence.startswith(
        "the requirement cloud_kit 1.2 (requirements/function.txt) brings a module `functions`, which would take the "
        "place of this project's own package `functions`"
    )


def test_a_module_a_compiled_one_and_a_part_of_a_namespace_count_alike(tmp_path: Path) -> None:
    for number, path in enumerate(("domain.py", "domain.cpython-313-x86_64-linux-gnu.so", "domain/part.py")):
        (sentence,) = refused(tmp_path / str(number), "a-1", path)
        assert "brings a module `domain`" in sentence


def test_each_name_that_is_taken_is_told(tmp_path: Path) -> None:
    assert len(refused(tmp_path, "a-1", "domain/x.py", "persistence/x.py")) == 2


def test_names_that_are_not_ours_are_permitted(tmp_path: Path) -> None:
    """opensearch-py requires Events, which brings a module `events`: our folder of that name holds documents only."""
    assert refused(tmp_path, "Events-0.5", "events/__init__.py", "events/events.py") == ()


def test_below_another_package_any_name_is_permitted(tmp_path: Path) -> None:
    assert refused(tmp_path, "a-1", "a/domain/__init__.py", '"a/with, comma/functions.py"') == ()
