"""The forms in which AWS delivers requests and messages, for the sample events."""

import hashlib
from datetime import UTC, datetime

from pydantic import JsonValue

SAMPLE_TIME = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SAMPLE_EMAIL = "dev@example.com"


def http_event(method: str, path: str, body: str | None = None) -> dict[str, JsonValue]:
    """A request as API Gateway delivers it (payload format 2.0)."""
    claims: dict[str, JsonValue] = {
        "iss": "https://issuer.example.com",
        "sub": SAMPLE_EMAIL,
        "email": SAMPLE_EMAIL,
        "email_verified": "true",
    }
    return {
        "version": "2.0",
        "routeKey": "ANY /v1/{proxy+}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "*/*", "content-type": "application/json", "host": "api.example.com"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "sample",
            "authorizer": {"jwt": {"claims": claims, "scopes": None}},
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "sample",
            },
            "requestId": "sample-request",
            "routeKey": "ANY /v1/{proxy+}",
            "stage": "$default",
            "time": "23/Nov/2026:03:00:00 +0000",
            "timeEpoch": int(SAMPLE_TIME.timestamp() * 1000),
        },
        "pathParameters": {"proxy": path.removeprefix("/v1/")},
        "isBase64Encoded": False,
        **({"body": body} if body is not None else {}),
    }


def queue_message(body: str) -> dict[str, JsonValue]:
    """A message of the wake queue, as Lambda delivers it."""
    milliseconds = str(int(SAMPLE_TIME.timestamp() * 1000))
    return {
        "messageId": "5d6f2c1e-6d0a-4a3b-9c55-1f0e8a7b6c5d",
        "receiptHandle": "sample-receipt",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": milliseconds,
            "SenderId": "000000000000",
            "ApproximateFirstReceiveTimestamp": milliseconds,
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:WakeQueue",
        "awsRegion": "us-east-1",
    }
