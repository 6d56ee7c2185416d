"""Finds requirements that would take the place of our own code in an artifact.

All packages of an artifact lie in one folder. A requirement that brings a module under the name of one of ours would
overwrite it, or be overwritten, file by file.
"""

import csv
from pathlib import Path, PurePosixPath


def collisions(artifact: Path, own: frozenset[str], lock: str) -> tuple[str, ...]:
    """A sentence for each installed requirement that brings one of the top-level names `own`; `lock` lists them."""
    return tuple(
        f"the requirement {_release(installed)} ({lock}) brings a module `{name}`, which would take the place of this "
        f"project's own package `{name}`: do without it, or use a package that has other names"
        for installed in sorted(artifact.glob("*.dist-info"))
        for name in sorted(_top_level(installed) & own)
    )


def _release(installed: Path) -> str:
    name, _, version = installed.name.removesuffix(".dist-info").rpartition("-")
    return f"{name} {version}"


def _top_level(installed: Path) -> frozenset[str]:
    """What can be imported of a release: the first part of each path in its RECORD, without a suffix."""
    with (installed / "RECORD").open(newline="") as record:
        paths = [PurePosixPath(row[0]) for row in csv.reader(record) if row]
    return frozenset(path.parts[0].split(".")[0] for path in paths if path.parts)
