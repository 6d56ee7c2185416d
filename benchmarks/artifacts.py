"""Builds artifacts with the built-in job types, for what measures them."""

import sys
from pathlib import Path

from headrace.build.artifact import JobTypes, build
from headrace.build.targets import UnknownTarget, target_of
from headrace.emulator.cloudformation import ROOT, default_of


def build_own(function: str, artifact: Path, target: str) -> None:
    """Build the artifact of a function; exits with the reason when that cannot be done."""
    read = target_of(target)
    if isinstance(read, UnknownTarget):
        sys.exit(read.reason)
    problems = build(function, artifact, read, JobTypes(package=default_of("JobTypes"), folder=ROOT, environment={}))
    if problems:
        sys.exit("\n".join(problems))
