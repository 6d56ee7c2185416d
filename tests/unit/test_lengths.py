"""A long file or function is an exception, and has its reason here."""

import ast
from collections.abc import Iterator

from headrace.emulator.cloudformation import ROOT

MOST_OF_A_FILE = 250
MOST_OF_A_FUNCTION = 30
PACKAGES = ("domain", "persistence", "functions", "headrace", "headrace_pytest", "job_types", "clients/python/src")
FILES = {
    "clients/python/src/headrace_client/_async/client.py": "a method for each call of the API",
    "clients/python/src/headrace_client/_sync/client.py": "its twin, which is generated",
    "clients/python/src/headrace_client/models.py": "a model for each answer of the API",
    "domain/jobs/job.py": "the aggregate: its states, and what they are made of",
    "domain/jobs/sweeping.py": "one service: a sweep, from the wake index to the jobs that it moves",
    "domain/jobs/transitions.py": "the one place where a status changes: a function for each move, and what they share",
    "domain/lanes/releasing.py": "one service: who in a lane's line is let go, and who looks when it was not",
    "domain/schedules/service.py": "one service: what people do with schedules",
    "domain/schedules/ticking.py": "one service: what a tick does, step by step",
    "functions/api/http/problems.py": "a case for each failure of the domain, so that mypy finds one that is missing",
    "functions/settings.py": "the variables of all functions: a model for each reader",
    "headrace/build/reading.py": "one visitor of Python's syntax, a method for each kind of node",
    "headrace/emulator/cloudformation.py": "the template as CloudFormation sees it: one step after another",
    "headrace/emulator/event_source_mapping.py": "one poller: its position, batches, retries and bisection",
    "headrace/emulator/execution_environment.py": "one process of a function, by Lambda's Runtime API",
    "headrace/emulator/function_pool.py": "one pool: starting, reusing and ending environments belong together",
    "headrace/emulator/gateway.py": "one server: how API Gateway routes, limits and answers",
    "headrace/emulator/stack.py": "what a stack is made of, in the order in which it starts",
    "headrace/emulator/template.py": "a model for each resource that is emulated, and how it is read",
    "headrace/testing/job_repository.py": "all conditions of the jobs table, once more in memory",
    "headrace/testing/running.py": "run_job: its signature, its documentation and what it returns are its users' text",
    "headrace/testing/simulated_job.py": "one world: a job with one fault, its stores and its handlers",
    "headrace/testing/stack.py": "JobStack: what its users see stands in one class",
    "persistence/dynamodb/repositories/job_listing.py": "one algorithm: filling a page from indexes in bounded reads",
}
FUNCTIONS = {
    "domain/children/writing.py ChildWriter._another_turn": "a case for each way that a child can stand",
    "domain/jobs/guard.py outcome_of": "the order of its waits is the guarantee",
    "domain/jobs/recording.py OutcomeRecorder.record": "a case for each answer of the store",
    "domain/jobs/transitions.py submit": "one job, field by field",
    "domain/schedules/ticking.py Ticker._make": "a case for each way that a tick can end",
    "functions/api/app.py create_app": "the application's parts, each made of those before",
    "functions/api/handler.py build": "the API's parts by name",
    "functions/api/http/problems.py problem_of": "a case for each failure of the domain",
    "functions/attempts/telemetry.py log_execution": "a case for each execution, with what its line says",
    "functions/sweeper/handler.py report_sweep": "what is logged and counted of a sweep, by name",
    "headrace/authoring/job_function.py job_type.decorate": "its checks, in the order in which an author meets them",
    "headrace/cli/jobs.py submit": "the options of a command",
    "headrace/cli/run.py run": "the options of a command",
    "headrace/emulator/database.py embedded_database": "starts, waits for and ends one process",
    "headrace/emulator/event_source_mapping.py StreamPump._pump_shard": "the loop of one shard",
    "headrace/emulator/http_event.py http_event": "one event, field by field",
    "headrace/emulator/stack.py running_stack": "what starts and ends together, in order",
    "headrace/testing/running.py run_job_async": "one attempt, from its arguments to what it came to",
    "headrace/testing/stack.py JobStack.__init__": "the stack's parts, each made of those before",
    "persistence/converters/dynamo_to_domain.py item_to_job": "one item, attribute by attribute",
    "persistence/converters/dynamo_to_domain.py job_to_item": "one item, attribute by attribute",
}
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_in(node: ast.AST, within: str = "") -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        inner = within
        if isinstance(child, ast.ClassDef | Function):
            inner = f"{within}{child.name}."
        if isinstance(child, Function):
            yield f"{within}{child.name}", child
        yield from functions_in(child, inner)


def lines_of(node: ast.stmt) -> set[int]:
    decorators = [each.lineno for each in node.decorator_list] if isinstance(node, Function) else []
    return set(range(min(node.lineno, *decorators, node.lineno), (node.end_lineno or node.lineno) + 1))


def own_lines(function: Function) -> int:
    """Of the body: its docstring, and functions within it, count for themselves."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    lines = set[int]().union(*(lines_of(each) for each in body))
    within = (lines_of(inner) for each in body for _, inner in functions_in(ast.Module([each], [])))
    return len(lines.difference(*within))


def test_a_long_file_has_a_reason() -> None:
    assert {path for path, source in SOURCES.items() if source.count("\n") > MOST_OF_A_FILE} - FILES.keys() == set()
    assert FILES.keys() <= SOURCES.keys()


def test_a_long_function_has_a_reason() -> None:
    functions = {
        f"{path} {name}": own_lines(function)
        for path, source in SOURCES.items()
        for name, function in functions_in(ast.parse(source))
    }
    assert {name for name, lines in functions.items() if lines > MOST_OF_A_FUNCTION} - FUNCTIONS.keys() == set()
    assert FUNCTIONS.keys() <= functions.keys()
