"""Conversion of a function's response into an HTTP response."""

import pytest
from aiohttp import web
from pydantic import JsonValue

from headrace.emulator.http_response import MalformedResponse, http_response


def sent(answer: JsonValue) -> web.Response:
    response = http_response(answer)
    assert isinstance(response, web.Response), response
    return response


def test_status_headers_cookies_and_body_come_from_the_function() -> None:
    response = sent({
        "statusCode": 201, "headers": {"Content-Type": "application/json", "X-A": "é", "X-N": 1, "X-B": True},
        "cookies": ["a=1", "b=2"], "body": "{}", "ignored": [],
    })  # fmt: skip
    assert (response.status, response.body) == (201, b"{}")
    assert response.headers["content-type"] == "application/json"
    assert (response.headers["x-a"], response.headers["x-n"], response.headers["x-b"]) == ("é", "1", "true")
    assert response.headers.getall("set-cookie") == ["a=1", "b=2"]


def test_base64_is_decoded_and_text_is_the_default_type() -> None:
    response = sent({"statusCode": "200", "body": "AP8=", "isBase64Encoded": True})
    assert response.body == b"\x00\xff"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("absent", [{}, {"headers": None, "cookies": None, "body": None, "isBase64Encoded": None}])
def test_all_but_the_status_may_be_absent(absent: dict[str, JsonValue]) -> None:
    assert sent({"statusCode": 204, **absent}).body == b""


@pytest.mark.parametrize(
    ("answer", "body"),
    [({"a": 1}, b'{"a": 1}'), ("text", b"text"), ([1], b"[1]"), (None, b"null"), (7, b"7"), ({}, b"{}")],
)
def test_a_response_without_a_status_is_the_body_of_a_200(answer: JsonValue, body: bytes) -> None:
    response = sent(answer)
    assert (response.status, response.body) == (200, body)
    assert response.headers["content-type"] == "application/json"


def test_headers_of_the_connection_are_not_passed_on() -> None:
    hop = {
        "Connection": "close", "Transfer-Encoding": "chunked", "Content-Length": "7", "Keep-Alive": "x", "Upgrade": "y"
    }  # fmt: skip
    assert set(sent({"statusCode": 200, "headers": {**hop, "X-A": "1"}}).headers) == {"content-type", "X-A"}


@pytest.mark.parametrize(
    "fields",
    [
        {"statusCode": "ok"}, {"statusCode": None}, {"statusCode": 0}, {"statusCode": 99}, {"statusCode": 101},
        {"statusCode": 1000}, {"statusCode": -200}, {"statusCode": True}, {"statusCode": 200.5}, {"statusCode": []},
        {"headers": []}, {"headers": "x"}, {"headers": {"a": []}}, {"headers": {"a": None}}, {"headers": {"": "x"}},
        {"headers": {"a b": "x"}}, {"headers": {"é": "x"}}, {"headers": {"a": "x\r\nb: y"}}, {"headers": {"a": "\0"}},
        {"headers": {"a": "\ud800"}}, {"cookies": "a=1"}, {"cookies": [1]}, {"cookies": ["a=1\nb"]},
        {"body": {}}, {"body": 7}, {"body": "\ud800"}, {"isBase64Encoded": "true", "body": "AAAA"},
        {"isBase64Encoded": True, "body": "not base64"}, {"isBase64Encoded": True, "body": "AAA"},
        {"isBase64Encoded": True, "body": "é"},
    ],
)  # fmt: skip
def test_a_malformed_response_is_described_and_never_raised(fields: dict[str, JsonValue]) -> None:
    assert isinstance(http_response({"statusCode": 200, **fields}), MalformedResponse)


def test_a_response_that_utf_8_cannot_encode_is_malformed() -> None:
    assert isinstance(http_response({"a": "\ud800"}), MalformedResponse)
