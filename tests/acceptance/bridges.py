"""Workarounds for what MiniStack 1.5 does not support. The product itself does not adapt to it.

Most rewrite the CloudFormation template that AWS's translator makes of template.yaml into an equivalent that MiniStack
supports. There is no workaround for its stream mapping, which ignores partial batch responses and retry limits:
`tests/integration/test_event_source_mapping.py` tests these on the local stack.
"""

from collections.abc import Callable

import aioboto3
from pydantic import JsonValue

from headrace.emulator.cloudformation import mapping

Resources = dict[str, JsonValue]


def without_code_deploy(resources: Resources) -> Resources:
    """Remove CodeDeploy, which moves traffic gradually and which MiniStack lacks; an alias changes at once."""
    specs = {name: mapping(spec) for name, spec in resources.items() if name != "CodeDeployServiceRole"}
    kept = {name: spec for name, spec in specs.items() if "::CodeDeploy::" not in str(spec["Type"])}
    return {name: {key: value for key, value in spec.items() if key != "UpdatePolicy"} for name, spec in kept.items()}


def routes_as_resources(resources: Resources) -> Resources:
    """Declare the routes, integrations and authorizer of the HTTP API as separate resources.

    SAM puts them into an OpenAPI body, which MiniStack stores and does not serve.
    """
    (name,) = (name for name, spec in resources.items() if mapping(spec)["Type"] == "AWS::ApiGatewayV2::Api")
    body = mapping(mapping(mapping(resources[name])["Properties"])["Body"])
    api: JsonValue = {"Ref": name}
    schemes = mapping(mapping(body["components"])["securitySchemes"])
    declared = mapping(mapping(schemes["Jwt"])["x-amazon-apigateway-authorizer"])
    jwt = mapping(declared["jwtConfiguration"])
    made: Resources = {
        name: {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": "headrace",
                "ProtocolType": "HTTP",
                "CorsConfiguration": body["x-amazon-apigateway-cors"],  # by the names that MiniStack reads
            },
        },
        "BridgeAuthorizer": {
            "Type": "AWS::ApiGatewayV2::Authorizer",
            "Properties": {
                "ApiId": api,
                "Name": "Jwt",
                "AuthorizerType": "JWT",
                "IdentitySource": [declared["identitySource"]],
                "JwtConfiguration": {"Issuer": jwt["issuer"], "Audience": jwt["audience"]},
            },
        },
    }
    paths = mapping(body["paths"]).items()
    routes = [(path, *each) for path, operations in paths for each in mapping(operations).items()]
    for number, (path, method, operation) in enumerate(routes):
        integration = mapping(mapping(operation)["x-amazon-apigateway-integration"])
        (security,) = _list(mapping(operation).get("security"))
        verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
        (scheme,) = mapping(security)
        made[f"BridgeIntegration{number}"] = {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": api,
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": integration["uri"],
                "PayloadFormatVersion": integration["payloadFormatVersion"],
            },
        }
        made[f"BridgeRoute{number}"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": api,
                "RouteKey": f"{verb} {path}",
                "Target": {"Fn::Sub": f"integrations/${{BridgeIntegration{number}}}"},
                **_ACCESS[scheme],
            },
        }
    return {**resources, **made}


_ACCESS: dict[str, dict[str, JsonValue]] = {
    "NONE": {"AuthorizationType": "NONE"},
    "AWS_IAM": {"AuthorizationType": "AWS_IAM"},
    "Jwt": {"AuthorizationType": "JWT", "AuthorizerId": {"Ref": "BridgeAuthorizer"}},
}
"""What a route says, by the security scheme that SAM gives it."""


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def alarms_on_one_metric(resources: Resources) -> Resources:
    """Make the alarms on a percentage (metric math) watch only the failures: MiniStack's alarms read one metric."""

    def bridged(spec: dict[str, JsonValue]) -> dict[str, JsonValue]:
        properties = mapping(spec.get("Properties", {}))
        match properties.get("Metrics"):
            case [*_, {"MetricStat": {"Metric": dict(metric), "Stat": statistic, "Period": period}}]:
                kept = {key: value for key, value in properties.items() if key != "Metrics"}
                return {**spec, "Properties": {**kept, **metric, "Statistic": statistic, "Period": period}}
            case _:
                return spec

    return {name: bridged(mapping(spec)) for name, spec in resources.items()}


def batch_sends_by_their_own_name(resources: Resources) -> Resources:
    """Permit SendMessageBatch where SendMessage is: AWS asks for that in both cases, MiniStack by the call."""

    def bridged(value: JsonValue) -> JsonValue:
        match value:
            case dict():
                return {name: bridged(member) for name, member in value.items()}
            case list():
                return [bridged(member) for member in value]
            case "sqs:SendMessage":
                return ["sqs:SendMessage", "sqs:SendMessageBatch"]
            case _:
                return value

    return {name: bridged(spec) for name, spec in resources.items()}


def without_bucket_policies(resources: Resources) -> Resources:
    """Remove the policy that denies access without TLS: MiniStack does not know the condition, and denies it all."""
    return {name: spec for name, spec in resources.items() if mapping(spec)["Type"] != "AWS::S3::BucketPolicy"}


def concurrency_as_a_number(resources: Resources) -> Resources:
    """Give a queue's mapping its maximum concurrency as a number: MiniStack compares it as text."""

    def bridged(spec: dict[str, JsonValue]) -> dict[str, JsonValue]:
        properties = mapping(spec.get("Properties", {}))
        if "ScalingConfig" not in properties:
            return spec
        return {**spec, "Properties": {**properties, "ScalingConfig": {"MaximumConcurrency": 100}}}

    return {name: bridged(mapping(spec)) for name, spec in resources.items()}


async def apply_time_to_live(jobs_table: str) -> None:
    """Call UpdateTimeToLive, because MiniStack ignores a table's TimeToLiveSpecification."""
    async with aioboto3.Session().client("dynamodb") as client:
        await client.update_time_to_live(
            TableName=jobs_table, TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True}
        )


BRIDGES: tuple[Callable[[Resources], Resources], ...] = (
    without_code_deploy,
    routes_as_resources,
    alarms_on_one_metric,
    batch_sends_by_their_own_name,
    concurrency_as_a_number,
    without_bucket_policies,
)
