"""Reads the functions, tables, buckets, streams, queues, schedules and routes that template.yaml declares.

The input is the output of AWS's own translator (`aws-sam-translator`); see `cloudformation.py`. Where
CloudFormation would generate a physical name, the logical id is used.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_pascal

from functions.settings import JOB_TYPES_VARIABLE
from headrace.emulator.cloudformation import TEMPLATE, UnsupportedTemplate, default_of, folder_of, mapping, resolved
from headrace.emulator.cors import Cors, cors_of
from headrace.emulator.current_project import current_project, project_folder
from headrace.emulator.database import StackError
from headrace.emulator.project_flaws import BUILT_IN, names_taken
from headrace.emulator.queue_template import Queue, QueueMapping, queue_mapping_of, queue_of


class _Declared(BaseModel):
    """Base of models whose fields have CloudFormation's names; properties that the stack does not use are ignored."""

    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, populate_by_name=True)


class LambdaFunction(_Declared):
    """A Lambda function: its handler, limits and environment variables."""

    name: str
    handler: str
    timeout: int
    """Seconds."""
    memory_size: int
    environment: dict[str, str]

    @property
    def folder(self) -> str:
        """Its folder below `functions/`, as its handler says."""
        return folder_of(self.handler)


class Table(_Declared):
    """A table: the arguments of `CreateTable`, and its TTL attribute."""

    name: str
    create: dict[str, JsonValue]
    ttl_attribute: str | None


class EventSourceMapping(_Declared):
    """The delivery of a table's stream to a function; the names and defaults are those of AWS Lambda."""

    table: str
    function: str
    patterns: tuple[dict[str, JsonValue], ...] = ()
    batch_size: int = 100
    maximum_batching_window_in_seconds: float = 0
    parallelization_factor: int = 1
    maximum_retry_attempts: int = -1
    maximum_record_age_in_seconds: float = -1
    bisect_batch_on_function_error: bool = False
    report_batch_item_failures: bool = False
    on_failure: str | None = None
    """The queue that receives the metadata of discarded records."""


class Schedule(_Declared):
    """A function to invoke at a rate."""

    function: str
    expression: str
    input: JsonValue


Authorizer = Literal["jwt", "iam", "none"]
"""Who verifies a request before the function gets it."""


class Route(_Declared):
    """A route of the HTTP API; `methods` is empty for ANY. `/x/{proxy+}` matches every path below /x/."""

    path: str
    methods: frozenset[str]
    function: str
    authorizer: Authorizer


class Stack(_Declared):
    """Everything in the template that the local stack runs."""

    functions: dict[str, LambdaFunction]
    tables: dict[str, Table]
    queues: dict[str, Queue]
    buckets: tuple[str, ...] = ()
    """Names of S3 buckets; locally none of their properties apply."""
    mappings: tuple[EventSourceMapping, ...]
    queue_mappings: tuple[QueueMapping, ...]
    schedules: tuple[Schedule, ...]
    routes: tuple[Route, ...]
    cors: Cors | None = None
    """None if browsers may call the API from pages of no other origin."""
    issuer: str = Field(description="Of the JWT authorizer")
    audience: tuple[str, ...]

    @property
    def running_jobs(self) -> frozenset[str]:
        """The functions that run jobs: a queue brings them the due ones."""
        return frozenset(mapping.function for mapping in self.queue_mappings)

    @property
    def invoked(self) -> frozenset[str]:
        """The functions that a stream, a queue, a schedule or the HTTP API invokes."""
        sources: tuple[Schedule | Route, ...] = (*self.schedules, *self.routes)
        streamed = {mapping.function for mapping in self.mappings}
        return self.running_jobs | streamed | {source.function for source in sources}


def load_stack(parameters: Mapping[str, str], path: Path = TEMPLATE) -> Stack:
    """Load the stack that deploying the template at `path` with `parameters` would create."""
    resources = resolved(path, parameters)
    by_type = _by_type(resources)
    api = next(iter(by_type.get("AWS::ApiGatewayV2::Api", {}).values()), {})
    body = mapping(api.get("Body", {}))
    jwt = _jwt(body)
    functions = {name: _function(name, spec) for name, spec in by_type["AWS::Lambda::Function"].items()}
    queues = {name: queue_of(name, spec) for name, spec in by_type.get("AWS::SQS::Queue", {}).items()}
    mappings = list(by_type["AWS::Lambda::EventSourceMapping"].values())
    from_queues = [spec for spec in mappings if str(spec["EventSourceArn"]).removesuffix(".Arn") in queues]
    timeouts = {name: function.timeout for name, function in functions.items()}
    return Stack(
        functions=functions,
        tables={name: _table(name, spec) for name, spec in by_type["AWS::DynamoDB::Table"].items()},
        queues=queues,
        buckets=tuple(name.lower() for name in by_type.get("AWS::S3::Bucket", {})),
        mappings=tuple(_mapping_of(spec) for spec in mappings if spec not in from_queues),
        queue_mappings=tuple(queue_mapping_of(spec, queues, timeouts) for spec in from_queues),
        schedules=tuple(_schedule(spec) for spec in by_type["AWS::Scheduler::Schedule"].values()),
        routes=tuple(_routes(body)),
        cors=cors_of(body),
        issuer=str(jwt["issuer"]),
        audience=tuple(str(audience) for audience in _list(jwt["audience"])),
    )


def declared_job_types(environment: Mapping[str, str]) -> str:
    """The package of job types: that of the variable `JOB_TYPES`, else of `headrace.toml`, else the template's default.

    It is a value for the template's parameter `JobTypes`, which a deployment gives by itself. Raises `StackError` for a
    `headrace.toml` that cannot be used, and when code beside the package has a name of Headrace's own.
    """
    named = environment.get(JOB_TYPES_VARIABLE)
    if named:
        flaws = names_taken(project_folder()) if named != BUILT_IN else ()
        if flaws:
            raise StackError("\n".join(flaws))
        return named
    project = current_project()
    return default_of("JobTypes") if project is None else project.job_types


def _by_type(resources: Mapping[str, JsonValue]) -> dict[str, dict[str, dict[str, JsonValue]]]:
    found: dict[str, dict[str, dict[str, JsonValue]]] = {}
    for name, resource in resources.items():
        spec = mapping(resource)
        found.setdefault(str(spec["Type"]), {})[name] = mapping(spec.get("Properties", {}))
    return found


def _function(name: str, spec: Mapping[str, JsonValue]) -> LambdaFunction:
    environment = mapping(mapping(spec.get("Environment", {})).get("Variables", {}))
    return LambdaFunction(
        name=name,
        handler=str(spec["Handler"]),
        timeout=int(str(spec["Timeout"])),
        memory_size=int(str(spec["MemorySize"])),
        environment={key: str(value) for key, value in environment.items()},
    )


def _table(name: str, spec: Mapping[str, JsonValue]) -> Table:
    copied = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    create: dict[str, JsonValue] = {"TableName": name, **{key: spec[key] for key in copied if key in spec}}
    if "StreamSpecification" in spec:
        # The DynamoDB API requires this switch, which CloudFormation does not have.
        create["StreamSpecification"] = {"StreamEnabled": True, **mapping(spec["StreamSpecification"])}
    ttl = mapping(spec.get("TimeToLiveSpecification", {}))
    attribute = ttl.get("AttributeName") if ttl.get("Enabled") else None
    return Table(name=name, create=create, ttl_attribute=str(attribute) if attribute else None)


def _mapping_of(spec: Mapping[str, JsonValue]) -> EventSourceMapping:
    filters = _list(mapping(spec.get("FilterCriteria", {})).get("Filters", []))
    destination = mapping(mapping(spec.get("DestinationConfig", {})).get("OnFailure", {})).get("Destination")
    if spec.get("StartingPosition") != "TRIM_HORIZON":
        raise UnsupportedTemplate("a stream mapping must start at TRIM_HORIZON: LATEST loses records")
    return EventSourceMapping.model_validate({
        **{key: value for key, value in spec.items() if key not in {"FilterCriteria", "FunctionName"}},
        "table": str(spec["EventSourceArn"]).removesuffix(".StreamArn"),
        "function": spec["FunctionName"],
        "patterns": [json.loads(str(mapping(entry)["Pattern"])) for entry in filters],
        "report_batch_item_failures": "ReportBatchItemFailures" in _list(spec.get("FunctionResponseTypes", [])),
        "on_failure": str(destination).removesuffix(".Arn") if destination else None,
    })  # fmt: skip


def _schedule(spec: Mapping[str, JsonValue]) -> Schedule:
    target = mapping(spec["Target"])
    return Schedule(
        function=str(target["Arn"]).removesuffix(".Arn"),
        expression=str(spec["ScheduleExpression"]),
        input=json.loads(str(target.get("Input", "{}"))),
    )


def _routes(body: Mapping[str, JsonValue]) -> list[Route]:
    return [
        Route(
            path=path,
            methods=frozenset() if method == "x-amazon-apigateway-any-method" else frozenset({method.upper()}),
            function=_integrated_function(mapping(operation)),
            authorizer=_authorizer(mapping(operation)),
        )
        for path, operations in mapping(body.get("paths", {})).items()
        for method, operation in mapping(operations).items()
    ]  # fmt: skip


def _authorizer(operation: Mapping[str, JsonValue]) -> Authorizer:
    names = {name for entry in _list(operation.get("security", [])) for name in mapping(entry)}
    if names <= {"NONE"}:
        return "none"
    return "iam" if names == {"AWS_IAM"} else "jwt"


def _integrated_function(operation: Mapping[str, JsonValue]) -> str:
    """The function's name in `…:functions/Name/invocations`, where Name is an alias's function or `${Name.Arn}`."""
    uri = str(mapping(operation["x-amazon-apigateway-integration"])["uri"])
    return uri.split("/functions/")[1].removesuffix("/invocations").removeprefix("${").split(".Arn")[0]


def _jwt(body: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    schemes = mapping(mapping(body.get("components", {})).get("securitySchemes", {}))
    for scheme in schemes.values():
        authorizer = mapping(scheme).get("x-amazon-apigateway-authorizer")
        if isinstance(authorizer, dict) and authorizer.get("type") == "jwt":
            return mapping(authorizer["jwtConfiguration"])
    raise UnsupportedTemplate("the HTTP API has no JWT authorizer")


def _list(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise UnsupportedTemplate(f"expected a list, found {type(value).__name__}")
    return value
