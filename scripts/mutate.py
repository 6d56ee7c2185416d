"""Removes, one at a time, every guard of the transitions and every clause of the conditional writes; a test must fail.

`make reliability` runs it: each mutant is a copy of the tree with one thing missing, on which the tests that claim it
run.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.cloudformation import ROOT

TRANSITIONS = "domain/jobs/transitions.py"
REPOSITORIES = (
    "persistence/dynamodb/repositories/job_repository.py",
    "persistence/dynamodb/repositories/user_repository.py",
)
CLAIMS = {
    TRANSITIONS: ("tests/unit/jobs", "tests/reliability/test_model.py"),
    REPOSITORIES[0]: ("tests/contract/test_job_repository.py", "tests/integration/test_lost_acknowledgements.py"),
    REPOSITORIES[1]: ("tests/contract/test_user_repository.py", "tests/integration/test_lost_acknowledgements.py"),
}
# A key condition of a query is not among them: it selects, it guards no write.
CONDITION = re.compile(r'"((?:attribute_not_exists\(\w+\)|\w+ (?:=|<=) :\w+)(?: (?:AND|OR) [^"]+)?)"')
ALWAYS = "attribute_exists(id) OR attribute_not_exists(id)"
NEVER = "attribute_exists(id) AND attribute_not_exists(id)"
TESTS_SECONDS = 300


@dataclass(frozen=True)
class Mutant:
    """One file with one thing missing."""

    path: str
    line: int
    what: str
    source: str


def guards(path: str, source: str) -> Iterator[Mutant]:
    """Every `if` and every guard of a `case`, and every operand of theirs."""
    for node in ast.walk(ast.parse(source)):
        tests: list[ast.expr] = []
        if isinstance(node, ast.If | ast.IfExp):
            tests = [node.test]
        elif isinstance(node, ast.match_case) and node.guard is not None:
            tests = [node.guard]
        for test in tests:
            replacements = [("False", "never"), ("True", "always")]
            if isinstance(test, ast.BoolOp):
                for gone in range(len(test.values)):
                    kept = [ast.unparse(value) for place, value in enumerate(test.values) if place != gone]
                    joint = " and " if isinstance(test.op, ast.And) else " or "
                    replacements.append((joint.join(kept), f"without `{ast.unparse(test.values[gone])}`"))
            for text, told in replacements:
                mutated = _replaced(source, test, f"({text})")
                yield Mutant(path, test.lineno, f"{told}: {ast.unparse(test)}", mutated)


def conditions(path: str, source: str) -> Iterator[Mutant]:
    """Every clause of every condition expression."""
    for found in CONDITION.finditer(source):
        before = source[: found.start()]
        if before.rstrip().endswith("KeyConditionExpression=") or '"KeyConditionExpression": ' in before[-30:]:
            continue
        expression = found.group(1)
        joint = " OR " if " OR " in expression else " AND "
        clauses = expression.split(joint)
        line = before.count("\n") + 1
        for gone, clause in enumerate(clauses):
            # The clause stays, without effect: DynamoDB refuses values that no expression names.
            idle = f"({NEVER} AND {clause})" if joint == " OR " and len(clauses) > 1 else f"({ALWAYS} OR {clause})"
            text = joint.join(idle if place == gone else each for place, each in enumerate(clauses))
            mutated = f'{before}"{text}"{source[found.end() :]}'
            yield Mutant(path, line, f"without `{clause}`: {expression}", mutated)


def _replaced(source: str, node: ast.expr, text: str) -> str:
    lines = source.splitlines(keepends=True)
    start = sum(len(line) for line in lines[: node.lineno - 1]) + node.col_offset
    end = sum(len(line) for line in lines[: (node.end_lineno or node.lineno) - 1]) + (node.end_col_offset or 0)
    return source[:start] + text + source[end:]


def survives(mutant: Mutant, tree: Path) -> bool:
    """Whether all tests pass on the tree with this mutant."""
    place = tree / mutant.path
    original = place.read_text()
    place.write_text(mutant.source)
    try:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *CLAIMS[mutant.path]]
        done = subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True, timeout=TESTS_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    finally:
        place.write_text(original)
    return done.returncode == 0


def survivors_of_all() -> tuple[int, list[Mutant]]:
    """How many mutants were tried, and those that no test found."""
    mutants = [*guards(TRANSITIONS, (ROOT / TRANSITIONS).read_text())]
    for path in REPOSITORIES:
        mutants += conditions(path, (ROOT / path).read_text())
    with tempfile.TemporaryDirectory() as folder:
        tree = _copy(Path(folder))
        survivors = []
        for number, mutant in enumerate(mutants, start=1):
            alive = survives(mutant, tree)
            survivors += [mutant] if alive else []
            told = "SURVIVES" if alive else "found"
            print(f"{number:>3}/{len(mutants)} {told:<8} {mutant.path}:{mutant.line} {mutant.what}", flush=True)
    return len(mutants), survivors


def _copy(folder: Path) -> Path:
    """What git tracks, with the tools where they are."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    (folder / ".tools").symlink_to(ROOT / ".tools")
    return folder


if __name__ == "__main__":
    tried, survived = survivors_of_all()
    print(f"{tried} mutants, {len(survived)} survive")
    sys.exit(1 if survived else 0)
