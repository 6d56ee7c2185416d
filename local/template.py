"""What template.yaml declares, as the local stack needs it.

AWS's own translator (`aws-sam-translator`) turns the SAM template into CloudFormation, as AWS does at
deployment; what is read here is its output. Names that CloudFormation would make up are the logical ids.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_pascal

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"
REGION = "us-east-1"
ACCOUNT = "000000000000"

_NO_VALUE = "AWS::NoValue"
_PSEUDO: Mapping[str, str] = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": "headrace",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": _NO_VALUE,
}


class UnsupportedTemplate(ValueError):
    """The template uses something that the local stack does not play; the message names it."""


class _Declared(BaseModel):
    """Properties under their CloudFormation names; what the local stack does not use is left out."""

    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, populate_by_name=True)


class LambdaFunction(_Declared):
    """A function: where its code enters, how long it may take, what it finds in its environment."""

    name: str
    handler: str
    timeout: int
    """Seconds."""
    memory_size: int
    environment: dict[str, str]


class Table(_Declared):
    """A table, as `CreateTable` takes it, and its TTL attribute."""

    name: str
    create: dict[str, JsonValue]
    ttl_attribute: str | None


class EventSourceMapping(_Declared):
    """From a table's stream to a function; the names and defaults are those of AWS Lambda."""

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
    """The queue that gets the metadata of discarded records."""


class Schedule(_Declared):
    """A function started at a rate."""

    function: str
    expression: str
    input: JsonValue


class Route(_Declared):
    """A path of the HTTP API; `methods` is empty for ANY. `/x/{proxy+}` stands for all below /x/."""

    path: str
    methods: frozenset[str]
    function: str
    needs_token: bool


class Stack(_Declared):
    """Everything that the local stack plays."""

    functions: dict[str, LambdaFunction]
    tables: dict[str, Table]
    mappings: tuple[EventSourceMapping, ...]
    schedules: tuple[Schedule, ...]
    routes: tuple[Route, ...]
    issuer: str = Field(description="Of the JWT authorizer")
    audience: tuple[str, ...]


class _NoManagedPolicies:
    """The template names no managed policies, so nothing has to be asked of IAM."""

    def load(self) -> dict[str, str]:
        return {}


def load_stack(parameters: Mapping[str, str], path: Path = TEMPLATE) -> Stack:
    """The stack that deploying `path` with `parameters` would make."""
    resources = cloudformation(parameters, path)["Resources"]
    by_type = _by_type(resources)
    api = next(iter(by_type.get("AWS::ApiGatewayV2::Api", {}).values()), {})
    body = _mapping(api.get("Body", {}))
    jwt = _jwt(body)
    return Stack(
        functions={name: _function(name, spec) for name, spec in by_type["AWS::Lambda::Function"].items()},
        tables={name: _table(name, spec) for name, spec in by_type["AWS::DynamoDB::Table"].items()},
        mappings=tuple(_mapping_of(spec) for spec in by_type["AWS::Lambda::EventSourceMapping"].values()),
        schedules=tuple(_schedule(spec) for spec in by_type["AWS::Scheduler::Schedule"].values()),
        routes=tuple(_routes(body)),
        issuer=str(jwt["issuer"]),
        audience=tuple(str(audience) for audience in _list(jwt["audience"])),
    )


def cloudformation(parameters: Mapping[str, str], path: Path = TEMPLATE) -> dict[str, dict[str, JsonValue]]:
    """The CloudFormation template, with parameters and references resolved to local names."""
    # A second of imports, which only those commands should pay that need the template.
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    source = yaml_parse(path.read_text())
    declared = source.get("Parameters", {})
    values = {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}
    values |= {name: value for name, value in parameters.items() if name in declared}
    missing = sorted(set(declared) - set(values))
    if missing:
        raise UnsupportedTemplate(f"no value for the parameters {', '.join(missing)}")
    # The translator wants code that is uploaded; the local stack runs it where it lies.
    source["Globals"]["Function"]["CodeUri"] = "s3://local/code"
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # It warns of metrics that nobody reads.
    template = transform(source, dict(values), _NoManagedPolicies())
    names = {name: _own_name(name, _mapping(spec)) for name, spec in template["Resources"].items()}
    intrinsics = _Intrinsics({**_PSEUDO, **values, **names}, template.get("Conditions", {}))
    resources = {
        name: intrinsics.resolve(spec)
        for name, spec in template["Resources"].items()
        if intrinsics.holds(spec.get("Condition"))
    }
    return {"Resources": resources, "Outputs": _mapping(intrinsics.resolve(template.get("Outputs", {})))}


def _own_name(name: str, spec: Mapping[str, JsonValue]) -> str:
    """What a Ref to this resource stands for."""
    match spec["Type"]:
        case "AWS::Lambda::Alias":  # Here, a function has one version.
            return str(_mapping(_mapping(spec["Properties"])["FunctionName"])["Ref"])
        case "AWS::SQS::Queue":  # The Ref is its URL, and here it has none: only the mapping writes to it.
            return ""
        case _:
            return name


class _Intrinsics:
    """CloudFormation's intrinsic functions and conditions, as far as the template uses them."""

    def __init__(self, names: Mapping[str, str], conditions: Mapping[str, JsonValue]) -> None:
        self._names = names
        self._conditions = conditions

    def holds(self, condition: JsonValue) -> bool:
        """Whether a condition, given by name or as Equals, Not, And or Or, is true; None always is."""
        match condition:
            case None:
                return True
            case str(name) | {"Condition": str(name)}:
                return self.holds(self._conditions[name])
            case {"Fn::Equals": [left, right]}:
                return str(self.resolve(left)) == str(self.resolve(right))
            case {"Fn::Not": [negated]}:
                return not self.holds(negated)
            case {"Fn::And": list(members)}:
                return all(self.holds(member) for member in members)
            case {"Fn::Or": list(members)}:
                return any(self.holds(member) for member in members)
            case _:
                raise UnsupportedTemplate(f"not a condition that the local stack knows: {json.dumps(condition)}")

    def resolve(self, value: JsonValue) -> JsonValue:
        """`value` without intrinsic functions."""
        match value:
            case {"Ref": str(name)}:
                return self._names[name]
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return f"{name}.{attribute}"
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self.resolve(then if self.holds(condition) else otherwise)
            case {"Fn::Sub": str(text)}:
                for name, replacement in self._names.items():
                    text = text.replace(f"${{{name}}}", replacement)
                return text
            case dict():
                resolved = {key: self.resolve(member) for key, member in value.items()}
                return {key: member for key, member in resolved.items() if member != _NO_VALUE}
            case list():
                members = [self.resolve(member) for member in value]
                return [member for member in members if member != _NO_VALUE]
            case _:
                return value


def _by_type(resources: Mapping[str, JsonValue]) -> dict[str, dict[str, dict[str, JsonValue]]]:
    found: dict[str, dict[str, dict[str, JsonValue]]] = {}
    for name, resource in resources.items():
        spec = _mapping(resource)
        found.setdefault(str(spec["Type"]), {})[name] = _mapping(spec.get("Properties", {}))
    return found


def _function(name: str, spec: Mapping[str, JsonValue]) -> LambdaFunction:
    environment = _mapping(_mapping(spec.get("Environment", {})).get("Variables", {}))
    return LambdaFunction(
        name=name,
        handler=str(spec["Handler"]),
        timeout=int(str(spec["Timeout"])),
        memory_size=int(str(spec["MemorySize"])),
        environment={key: str(value) for key, value in environment.items()},
    )


def _table(name: str, spec: Mapping[str, JsonValue]) -> Table:
    wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    create: dict[str, JsonValue] = {"TableName": name, **{key: spec[key] for key in wanted if key in spec}}
    if "StreamSpecification" in spec:
        # CloudFormation leaves out the switch that the API asks for.
        create["StreamSpecification"] = {"StreamEnabled": True, **_mapping(spec["StreamSpecification"])}
    ttl = _mapping(spec.get("TimeToLiveSpecification", {}))
    attribute = ttl.get("AttributeName") if ttl.get("Enabled") else None
    return Table(name=name, create=create, ttl_attribute=str(attribute) if attribute else None)


def _mapping_of(spec: Mapping[str, JsonValue]) -> EventSourceMapping:
    filters = _list(_mapping(spec.get("FilterCriteria", {})).get("Filters", []))
    destination = _mapping(_mapping(spec.get("DestinationConfig", {})).get("OnFailure", {})).get("Destination")
    if spec.get("StartingPosition") != "TRIM_HORIZON":
        raise UnsupportedTemplate("a stream mapping must start at TRIM_HORIZON: LATEST loses records")
    return EventSourceMapping.model_validate({
        **{key: value for key, value in spec.items() if key not in {"FilterCriteria", "FunctionName"}},
        "table": str(spec["EventSourceArn"]).removesuffix(".StreamArn"),
        "function": spec["FunctionName"],
        "patterns": [json.loads(str(_mapping(entry)["Pattern"])) for entry in filters],
        "report_batch_item_failures": "ReportBatchItemFailures" in _list(spec.get("FunctionResponseTypes", [])),
        "on_failure": str(destination).removesuffix(".Arn") if destination else None,
    })  # fmt: skip


def _schedule(spec: Mapping[str, JsonValue]) -> Schedule:
    target = _mapping(spec["Target"])
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
            function=_integrated_function(_mapping(operation)),
            needs_token=any("NONE" not in _mapping(entry) for entry in _list(_mapping(operation).get("security", []))),
        )
        for path, operations in _mapping(body.get("paths", {})).items()
        for method, operation in _mapping(operations).items()
    ]  # fmt: skip


def _integrated_function(operation: Mapping[str, JsonValue]) -> str:
    """The function's name in `…:functions/Name/invocations`, where Name is an alias's function or `${Name.Arn}`."""
    uri = str(_mapping(operation["x-amazon-apigateway-integration"])["uri"])
    return uri.split("/functions/")[1].removesuffix("/invocations").removeprefix("${").split(".Arn")[0]


def _jwt(body: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    schemes = _mapping(_mapping(body.get("components", {})).get("securitySchemes", {}))
    for scheme in schemes.values():
        authorizer = _mapping(scheme).get("x-amazon-apigateway-authorizer")
        if isinstance(authorizer, dict) and authorizer.get("type") == "jwt":
            return _mapping(authorizer["jwtConfiguration"])
    raise UnsupportedTemplate("the HTTP API has no JWT authorizer")


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise UnsupportedTemplate(f"expected a map, found {type(value).__name__}")
    return value


def _list(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise UnsupportedTemplate(f"expected a list, found {type(value).__name__}")
    return value
