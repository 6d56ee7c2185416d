"""Builds a project: an artifact for each function, side by side, and the template over them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import yaml
from pydantic import JsonValue

from functions.settings import JOB_TYPES_VARIABLE
from headrace.authoring.frozen import Frozen
from headrace.build.merging import Unmergeable, merged
from headrace.build.sizes import size_of
from headrace.emulator.cloudformation import TEMPLATE, function_folders, written
from headrace.project.settings import Project


class Built(Frozen):
    """A build that can be deployed."""

    template: Path
    sizes: Mapping[str, int]
    """Bytes of each function's artifact, unzipped."""
    notes: tuple[str, ...]
    """Sentences about what could be better."""


class NotBuilt(Frozen):
    """Why there is no build: sentences."""

    problems: tuple[str, ...]


def build_project(project: Project, output: Path, target: str) -> Built | NotBuilt:
    """Build into the folder `output`: `template.yaml`, and the artifact of each function under its name."""
    document = merged(written(), project)
    if isinstance(document, Unmergeable):
        return NotBuilt(problems=document.problems)
    artifacts = {name: output / name for name in function_folders()}
    for artifact in artifacts.values():
        shutil.rmtree(artifact, ignore_errors=True)
    with ThreadPoolExecutor(len(artifacts)) as side_by_side:
        told = tuple(side_by_side.map(partial(_build_one, project, target), artifacts.items()))
    lines = tuple(dict.fromkeys(line for _, said in told for line in said))
    if any(code != 0 for code, _ in told):
        return NotBuilt(problems=lines)
    template = output / TEMPLATE.name
    template.write_text(_yaml(document))
    return Built(template=template, sizes={name: size_of(path) for name, path in artifacts.items()}, notes=lines)


def _build_one(project: Project, target: str, artifact: tuple[str, Path]) -> tuple[int, list[str]]:
    """The exit code of a process that builds one artifact, and what it said."""
    function, folder = artifact
    environment = {**os.environ, "TARGET": target, JOB_TYPES_VARIABLE: project.job_types}
    command = [sys.executable, "-m", "headrace.build", function, str(folder.absolute())]
    done = subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()


def _yaml(document: dict[str, JsonValue]) -> str:
    text = yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)
    return f"# Written by `headrace build`, from Headrace's template and headrace.toml.\n{text}"
