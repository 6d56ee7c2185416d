"""Mutation tests: breaks each guard of transitions and transactions and each clause of a condition; a test must fail.

`make mutants` tries all and writes docs/mutants.md, unless one survives; `python -m scripts.mutate domain/lanes …`
those of files whose paths begin so. Each mutant is a copy of the tree with one change, on which the tests responsible
for the changed file run.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import cache_from_source
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from subprocess import PIPE

from headrace.emulator.cloudformation import ROOT

REPORT = ROOT / "docs" / "mutants.md"
TRANSITIONS = "domain/jobs/transitions.py"
REPOSITORIES = (
    "persistence/dynamodb/repositories/job_repository.py",
    "persistence/dynamodb/repositories/user_repository.py",
    "persistence/dynamodb/repositories/schedule_repository.py",
)
COMPANIONS = "persistence/converters/companions.py"
TRANSACTIONS = "persistence/dynamodb/transactions.py"
DUE_STEPS = "domain/jobs/due_steps.py"
RUN_DUE = "domain/jobs/run_due.py"
DISPATCH = "domain/jobs/dispatch.py"
DOCUMENTS = "domain/jobs/documents.py"
UPCASTING = "domain/jobs/upcasting.py"
UPCASTS = "headrace/authoring/upcasts.py"
LANES = tuple(f"domain/lanes/{name}.py" for name in ("lane", "admission", "lanes", "releasing", "naming"))
ENTERING = "domain/jobs/entering.py"
DURABLE = tuple(
    f"domain/durable/{name}.py" for name in ("durable", "memory", "waits", "values", "signalling", "forgetting")
)
HANDLERS = "domain/durable/durable.py"
FORGETTING = "domain/durable/forgetting.py"
MEMORY = "domain/durable/memory.py"
CHILDREN = tuple(
    f"domain/children/{name}.py"
    for name in (
        "call", "calls", "cancellation", "cancelling", "collecting", "counting", "group", "ids", "keeping", "overview",
        "places", "reading", "recording", "recounting", "results", "telling", "waking", "writing",
    )
)  # fmt: skip
CHILD_TESTS = (
    "tests/unit/children/test_groups.py", "tests/unit/children/test_recording.py", "tests/unit/children/test_turns.py",
    "tests/unit/children",
)  # fmt: skip
DURABLE_TESTS = ("tests/unit/durable", "tests/unit/api/test_steps.py", "tests/contract/test_step_repository.py")
STEP_REPOSITORY = "persistence/dynamodb/repositories/step_repository.py"
COMMITTING = "domain/jobs/committing.py"
PATIENCE = "domain/patience.py"
LANE_REPOSITORY = "persistence/dynamodb/repositories/lane_repository.py"
LANE_TESTS = ("tests/unit/lanes/test_lanes.py", "tests/unit/lanes/test_submission_in_lanes.py", "tests/unit/lanes")
GUARDED = (
    TRANSITIONS, DUE_STEPS, RUN_DUE, DISPATCH, DOCUMENTS, COMPANIONS, TRANSACTIONS, UPCASTING, UPCASTS, *LANES,
    ENTERING, COMMITTING, PATIENCE, *DURABLE, *CHILDREN,
)  # fmt: skip
# The tests responsible for each file, those most likely to fail first; the rest run only if they pass.
CLAIMS = {
    TRANSITIONS: (
        "tests/unit/jobs/test_transitions.py",
        "tests/unit/children",
        "tests/unit/jobs",
        "tests/unit/lanes",
        "tests/reliability/test_model.py",
    ),
    DUE_STEPS: ("tests/unit/jobs/test_sweeping_and_the_wake_queue.py", "tests/unit/jobs/test_sweeping.py"),
    RUN_DUE: ("tests/unit/jobs/test_run_due.py", "tests/unit/jobs/test_dispatch.py"),
    DISPATCH: ("tests/unit/jobs/test_dispatch.py",),
    DOCUMENTS: ("tests/unit/jobs/test_spilling.py", "tests/unit/jobs/test_execution.py"),
    UPCASTING: ("tests/unit/jobs/test_upcasting.py",),
    UPCASTS: ("tests/unit/authoring/test_upcasts.py",),
    **dict.fromkeys((*LANES, ENTERING, COMMITTING), LANE_TESTS),
    **dict.fromkeys(DURABLE, DURABLE_TESTS),
    HANDLERS: (*DURABLE_TESTS, "tests/unit/children"),
    FORGETTING: (*DURABLE_TESTS, "tests/unit/children/test_recording.py"),
    MEMORY: (*DURABLE_TESTS, "tests/unit/children/test_groups.py", "tests/unit/children/test_telling.py"),
    **dict.fromkeys(CHILDREN, CHILD_TESTS),
    PATIENCE: ("tests/unit/durable/test_patience.py",),
    STEP_REPOSITORY: ("tests/contract/test_step_repository.py",),
    LANE_REPOSITORY: ("tests/contract/test_lane_repository.py",),
    COMPANIONS: ("tests/unit/persistence/test_companions.py", "tests/contract/test_companions.py"),
    TRANSACTIONS: ("tests/unit/persistence/test_transactions.py", "tests/integration/test_lost_acknowledgements.py"),
    REPOSITORIES[0]: (
        "tests/contract/test_job_repository.py",
        "tests/contract/test_companions.py",
        "tests/unit/persistence/test_transactions.py",
        "tests/integration/test_lost_acknowledgements.py",
    ),
    REPOSITORIES[1]: ("tests/contract/test_user_repository.py", "tests/integration/test_lost_acknowledgements.py"),
    REPOSITORIES[2]: ("tests/contract/test_schedule_repository.py",),
}
EDITS = (
    (REPOSITORIES[0], '[{"Put": put}, *writes]', '[{"Put": put}]'),
    (REPOSITORIES[0], "if not change.companions:", "if True:"),
    (REPOSITORIES[0], ".index(CONDITION_FAILED) - 1", ".index(CONDITION_FAILED)"),
    (REPOSITORIES[0], "if code == CONDITION_FAILED:", "if code == CONDITION_FAILED and False:"),
    (REPOSITORIES[0], "if code == NO_FAULT:", "if True:"),
    (COMPANIONS, "next(iter(key))", '"holder"'),
    (COMPANIONS, '" AND ".join', '" OR ".join'),
    (COMPANIONS, "attribute_not_exists(#key)", "attribute_exists(#key)"),
    (COMPANIONS, "{**put.values, **put.key}", "{**put.key}"),
    (LANE_REPOSITORY, '"version = :expected"', '"attribute_exists(lane)"'),
    (LANE_REPOSITORY, '"attribute_not_exists(lane)"', '"attribute_exists(lane) OR attribute_not_exists(lane)"'),
    (STEP_REPOSITORY, '"lease.#token = :token"', '"lease.#token = :token OR attribute_exists(id)"'),
    (STEP_REPOSITORY, "if codes[1] == CONDITION_FAILED:", "if False:"),
    (TRANSACTIONS, ", ClientRequestToken=write_id", ""),
    (TRANSACTIONS, "range(MAX_CONFLICTS)", "range(1)"),
)
"""A file, a text in it, and its replacement: for what the conditions above do not cover."""
# A query's key condition is not mutated: it selects items and guards no write.
CONDITION = re.compile(r'"((?:attribute_not_exists\(\w+\)|\w+ (?:=|<=) :\w+)(?: (?:AND|OR) [^"]+)?)"')
ALWAYS = "attribute_exists(id) OR attribute_not_exists(id)"
NEVER = "attribute_exists(id) AND attribute_not_exists(id)"
BOUNDARIES: dict[type[ast.cmpop], str] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}


@dataclass(frozen=True)
class Mutant:
    """A file with one change."""

    path: str
    line: int
    what: str
    source: str


def guards(path: str, source: str) -> Iterator[Mutant]:
    """Mutate every condition that is branched on or returned: never or always true, without a part, off by one."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.If(test=test) | ast.IfExp(test=test) | ast.match_case(guard=ast.expr() as test):
                parts = _parts(test)
            case ast.Return(value=(ast.BoolOp() | ast.Compare()) as test):
                parts = _parts(test)
            case _:
                continue
        wholes = ((test, "False", "never"), (test, "True", "always"))
        for part, text, change in (*wholes, *parts):
            yield Mutant(path, part.lineno, f"{change}: {ast.unparse(test)}", _replaced(source, part, f"({text})"))


def _parts(test: ast.expr) -> Iterator[tuple[ast.expr, str, str]]:
    """The possible changes within a condition: the part, its replacement, and a description."""
    for node in ast.walk(test):
        match node:
            case ast.BoolOp(op=op, values=values):
                joint = " and " if isinstance(op, ast.And) else " or "
                for value in values:
                    kept = joint.join(ast.unparse(each) for each in values if each is not value)
                    yield node, kept, f"without `{ast.unparse(value)}`"
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, ast.BinOp() as union]):
                names = ast.unparse(union).split(" | ")
                for name in names:
                    yield union, " | ".join(each for each in names if each != name), f"without `{name}`"
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in BOUNDARIES:
                other = BOUNDARIES[type(op)]
                yield node, f"{ast.unparse(left)} {other} {ast.unparse(right)}", f"`{other}` at the boundary"
            case _:
                pass


def conditions(path: str, source: str) -> Iterator[Mutant]:
    """Mutate every clause of every condition expression."""
    for found in CONDITION.finditer(source):
        before = source[: found.start()]
        if "KeyConditionExpression" in before[-40:]:
            continue
        expression = found.group(1)
        joint = " OR " if " OR " in expression else " AND "
        clauses = expression.split(joint)
        line = before.count("\n") + 1
        for gone, clause in enumerate(clauses):
            # The clause stays but has no effect, because DynamoDB refuses values that no expression uses.
            idle = f"({NEVER} AND {clause})" if joint == " OR " and len(clauses) > 1 else f"({ALWAYS} OR {clause})"
            text = joint.join(idle if place == gone else each for place, each in enumerate(clauses))
            mutated = f'{before}"{text}"{source[found.end() :]}'
            yield Mutant(path, line, f"without `{clause}`: {expression}", mutated)


def edits() -> Iterator[Mutant]:
    """The `EDITS`, at the first place of their text."""
    for path, text, instead in EDITS:
        source = (ROOT / path).read_text()
        before, found, after = source.partition(text)
        if not found:
            raise ValueError(f"{path} has no {text!r}")
        yield Mutant(path, before.count("\n") + 1, f"`{instead}` for `{text}`", before + instead + after)


def _replaced(source: str, node: ast.expr, text: str) -> str:
    lines = source.splitlines(keepends=True)
    start = sum(len(line) for line in lines[: node.lineno - 1]) + node.col_offset
    end = sum(len(line) for line in lines[: (node.end_lineno or node.lineno) - 1]) + (node.end_col_offset or 0)
    return source[:start] + text + source[end:]


class Tree:
    """A copy of the tree, and a process that runs its tests."""

    def __init__(self, folder: Path) -> None:
        """Copy the files that git tracks, link the tools and start the process."""
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
        for name in listed.stdout.splitlines():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
        (folder / ".tools").symlink_to(ROOT / ".tools")
        command = [sys.executable, "-m", "scripts.mutant_tests"]
        self._folder = folder
        self._tests = subprocess.Popen(command, cwd=folder, stdin=PIPE, stdout=PIPE, text=True)

    def survives(self, mutant: Mutant) -> bool:
        """Whether all tests pass on the tree with this mutant."""
        place = self._folder / mutant.path
        original = place.read_text()
        self._write(place, mutant.source)
        try:
            return all(self._exit_code(tests) == 0 for tests in CLAIMS[mutant.path])
        finally:
            self._write(place, original)

    def end(self) -> None:
        """End the process."""
        self._tests.communicate()

    def _write(self, place: Path, source: str) -> None:
        place.write_text(source)
        # What is compiled counts as current if the source has its size and second.
        Path(cache_from_source(str(place))).unlink(missing_ok=True)

    def _exit_code(self, tests: str) -> int:
        if not (self._tests.stdin and self._tests.stdout):
            raise RuntimeError("the process was started without pipes")
        print(tests, file=self._tests.stdin, flush=True)
        answer = self._tests.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that runs the tests ended before {tests} had")
        return int(answer)


def all_mutants() -> tuple[Mutant, ...]:
    """Of all files."""
    guarded = (guards(path, (ROOT / path).read_text()) for path in GUARDED)
    conditional = (conditions(path, (ROOT / path).read_text()) for path in REPOSITORIES)
    return tuple(chain(edits(), *guarded, *conditional))


def survivors_of(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Try mutants, as many concurrently as there are CPUs; returns those that no test detected."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as workers:
        all_trees = [Tree(Path(folder) / str(number)) for number in range(os.cpu_count() or 1)]
        trees = SimpleQueue[Tree]()
        for tree in all_trees:
            trees.put(tree)

        def tried(mutant: Mutant) -> bool:
            tree = trees.get()
            try:
                alive = tree.survives(mutant)
            finally:
                trees.put(tree)
            print(f"{'SURVIVES' if alive else 'found':<8} {mutant.path}:{mutant.line} {mutant.what}", flush=True)
            return alive

        alive = tuple(workers.map(tried, mutants))
        for tree in all_trees:
            tree.end()
    return [mutant for mutant, survived in zip(mutants, alive, strict=True) if survived]


def report(mutants: Sequence[Mutant]) -> str:
    """What was tried, where nothing survived."""
    tried = Counter(mutant.path for mutant in mutants)
    return "\n".join((
        "# Mutants",
        "",
        "Each condition in these files is replaced by true and by false, stripped of each operand and of each state",
        "that it checks for, and shifted by one at its boundary; each clause of each conditional write is disabled;",
        "some other edits are made (`scripts/mutate.py`). Each time the tests responsible for the file must fail.",
        f"Written by `make mutants` on {datetime.now(UTC):%Y-%m-%d}: {len(mutants):,} mutants, none survives.",
        "",
        "| file | mutants |",
        "|---|---|",
        *(f"| `{path}` | {count:,} |" for path, count in tried.most_common()),
        "",
    ))  # fmt: skip


def main(below: Sequence[str]) -> int:
    """Try the mutants of files whose paths begin with one of `below`, or all; returns the exit code."""
    mutants = [mutant for mutant in all_mutants() if not below or mutant.path.startswith(tuple(below))]
    survivors = survivors_of(mutants)
    print(f"{len(mutants)} mutants, {len(survivors)} survive")
    if not survivors and not below:
        REPORT.write_text(report(mutants))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
