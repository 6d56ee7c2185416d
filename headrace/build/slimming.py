"""Removes from installed packages what nothing of an artifact reaches."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from headrace.build.needs import EXAMINED, Needs

# Removed when nothing reaches it. botocore's model of a service, and boto3's of its resources, go unless it is used.
NEVER_IMPORTED = (
    "s3transfer",  # boto3's, for S3
    "aiofiles",  # aioboto3's, for S3
    "boto3/examples",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!_jt]*",  # what stays: jmespath_utils, typing
    "aiohttp/web*.py",
    "aiohttp/test_utils.py",
    "aiohttp/pytest_plugin.py",
    "aiohttp/_websocket/*.so",  # aiohttp has the same in Python
    "pydantic/v1",
    "pydantic/mypy.py",
    "botocore/data/**/examples-1.json",
    "bin",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_cache.json",
    ".lock",
)
# The same, of packages that Headrace brings.
NO_PART_OF_A_PACKAGE = ("tests", "samples", ".pyi", ".pyx", ".pxd", ".c", ".h", ".hash")


def removable(artifact: Path) -> frozenset[Path]:
    """The files of an artifact, relative to it, that are removed when nothing reaches them."""
    return frozenset(_files(artifact, NEVER_IMPORTED))


def _files(artifact: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """The Python files that the patterns cover, relative to the artifact."""
    for path in (path for pattern in patterns for path in artifact.glob(pattern)):
        yield from (file.relative_to(artifact) for file in (path.rglob("*.py") if path.is_dir() else (path,)))


def slim(artifact: Path, needs: Needs) -> None:
    """Remove what is not among the needs."""
    needed = {artifact / around for file in needs.files for around in (file, *file.parents)}
    for folder, services in (("botocore/data", needs.services), ("boto3/data", needs.resources)):
        _remove(path for path in (artifact / folder).iterdir() if path.is_dir() and path.name not in services)
    for pattern in NEVER_IMPORTED:
        _remove(path for path in artifact.glob(pattern) if path not in needed)
    for package in EXAMINED:
        parts = (path for path in (artifact / package).rglob("*") if path not in needed)
        _remove(path for path in parts if (path.suffix or path.name) in NO_PART_OF_A_PACKAGE)
    for package in ("s3transfer", "aiofiles"):
        if not (artifact / package).exists():
            _remove(artifact.glob(f"{package}-*.dist-info"))


def _remove(paths: Iterable[Path]) -> None:
    for path in tuple(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
