"""Invalid input gets a fast and short response, however much of it is invalid, and whatever a job type's model does."""

import json
import time

import pytest
from pydantic import BaseModel, ConfigDict, JsonValue, field_validator

from domain.jobs.catalogue import Catalogue
from tests.fakes.handlers import a_handler
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, Answer, Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
MANY = 60_000


class Numbers(BaseModel):
    """A payload of numbers."""

    numbers: list[int]


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users, types=Catalogue([a_handler("csv.profile", payload=Numbers)]))


def errors(problem: dict[str, JsonValue]) -> list[dict[str, str]]:
    found = problem["errors"]
    assert isinstance(found, list)
    return [{name: str(text) for name, text in error.items()} for error in found if isinstance(error, dict)]


def check_bounded(problem: dict[str, JsonValue], count: int) -> None:
    assert problem["error_count"] == count
    assert str(count) in str(problem["detail"])
    assert len(errors(problem)) == min(count, 20)
    assert all(len(error["pointer"]) <= 200 and len(error["detail"]) <= 500 for error in errors(problem))


def timed(api: Api, path: str, body: JsonValue | bytes) -> Answer:
    began = time.process_time()
    answer = api.call("POST", path, body, who=ADMIN)
    assert time.process_time() - began < 3
    return answer


def test_tens_of_thousands_of_unknown_members_are_counted_and_the_first_are_named(api: Api) -> None:
    answer = timed(api, "/v1/jobs", CSV | {f"u{n}": 1 for n in range(MANY)})
    answer.refused(422, "invalid_request")
    check_bounded(answer.json, MANY)
    assert errors(answer.json)[0]["pointer"] == "/u0"
    assert "the first 20" in str(answer.json["detail"])
    assert len(answer.text) < 20_000


@pytest.mark.parametrize("path", ["/v1/users", "/v1/jobs/batch", "/v1/failed-jobs/retry"])
def test_every_body_gets_the_same_kind_of_response(api: Api, path: str) -> None:
    answer = timed(api, path, {f"u{n}": 1 for n in range(MANY)})
    answer.refused(422, "invalid_request")
    assert int(str(answer.json["error_count"])) > MANY
    assert len(answer.text) < 20_000


def test_wrong_members_of_a_payload_are_counted_and_the_first_are_named(api: Api) -> None:
    answer = timed(api, "/v1/jobs", CSV | {"payload": {"numbers": ["x"] * MANY}})
    answer.refused(422, "invalid_payload")
    check_bounded(answer.json, MANY)
    assert errors(answer.json)[19]["pointer"] == "/payload/numbers/19"


def test_the_response_to_a_batch_of_invalid_entries_is_bounded(api: Api) -> None:
    entry: JsonValue = CSV | {f"u{n}": 1 for n in range(3000)}
    answer = timed(api, "/v1/jobs/batch", {"jobs": [entry] * 25})
    results = answer.json["results"]
    assert isinstance(results, list)
    problems = [result["problem"] for result in results if isinstance(result, dict)]
    assert len(problems) == 25
    for problem in problems:
        assert isinstance(problem, dict)
        check_bounded(problem, 3000)
    assert len(answer.text) < 25 * 20_000


def test_one_error_is_one_error(api: Api) -> None:
    answer = api.call("POST", "/v1/jobs", CSV | {"payload": {"numbers": ["x"]}})
    answer.refused(422, "invalid_payload")
    check_bounded(answer.json, 1)
    assert api.call("GET", "/v1/jobs/x").json["error_count"] == 0


@pytest.mark.parametrize("name", ["n" * 900_000, "~/" * 400_000, "é" * 400_000, "\u0000" * 100_000])
def test_names_that_a_client_sent_are_cut(api: Api, name: str) -> None:
    for body in (CSV | {name: 1}, CSV | {"tags": {name: "x"}}):
        answer = timed(api, "/v1/jobs", json.dumps(body, ensure_ascii=False).encode())
        assert answer.status == 422
        check_bounded(answer.json, 1)
    answer = timed(api, "/v1/jobs", {"type": name[:64], "payload": {}}).refused(422, "unknown_job_type")
    assert len(str(answer.json["detail"])) <= 500


class _Unspeakable(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class _OfNoKind(BaseException):
    pass


def _recurse(depth: int = 0) -> int:
    return _recurse(depth + 1) + 1


class Raising(BaseModel):
    """A payload that tells its validator what to do."""

    model_config = ConfigDict(extra="forbid")

    what: str

    @field_validator("what")
    @classmethod
    def _raise(cls, what: str) -> str:
        match what:
            case "recursion":
                _recurse()
            case "surrogate":
                raise ValueError("caf\udce9")
            case "long":
                raise ValueError("x" * 1_000_000)
            case "unspeakable":
                raise _Unspeakable
            case "assertion":
                raise AssertionError(what)
            case _:
                kinds: tuple[type[BaseException], ...] = (
                    KeyError, TypeError, StopIteration, MemoryError, SystemExit, KeyboardInterrupt, GeneratorExit,
                    _OfNoKind,
                )  # fmt: skip
                raise next(kind for kind in kinds if kind.__name__ == what)(what)
        return what


@pytest.mark.parametrize(
    "what",
    ["KeyError", "TypeError", "StopIteration", "MemoryError", "SystemExit", "KeyboardInterrupt", "GeneratorExit",
     "_OfNoKind", "recursion", "surrogate", "long", "unspeakable", "assertion"],
)  # fmt: skip
def test_any_exception_of_a_payloads_validator_refuses_the_payload(users: FakeUserRepository, what: str) -> None:
    api = Api(users=users, types=Catalogue([a_handler("raising.type", payload=Raising)]))
    body: dict[str, JsonValue] = {"type": "raising.type", "payload": {"what": what}}
    answer = api.call("POST", "/v1/jobs", body)
    answer.refused(422, "invalid_payload")
    check_bounded(answer.json, 1)
    if what in {"KeyError", "_OfNoKind"}:
        assert what in errors(answer.json)[0]["detail"]
    batch = api.call("POST", "/v1/jobs/batch", {"jobs": [body]}).json["results"]
    assert isinstance(batch, list)
    assert isinstance(batch[0], dict)
    assert batch[0]["status"] == 422
    assert api.call("GET", "/v1/jobs").json["items"] == []


class NoSchema(BaseModel):
    """A payload that JSON Schema cannot describe."""

    @classmethod
    def model_json_schema(cls, *_arguments: object, **_options: object) -> dict[str, object]:
        raise KeyError("hunter2")


class OddSchema(BaseModel):
    """A payload whose schema is not JSON."""

    model_config = ConfigDict(json_schema_extra={"examples": [{1, 2}]})  # type: ignore[list-item]


@pytest.mark.parametrize("model", [NoSchema, OddSchema])
def test_a_job_type_without_a_schema_does_not_hide_the_others(
    users: FakeUserRepository, model: type[BaseModel]
) -> None:
    api = Api(users=users, types=Catalogue([a_handler("bad.type", payload=model), a_handler("good.type")]))
    answer = api.call("GET", "/v1/job-types")
    assert answer.status == 200, answer.text
    items = answer.json["items"]
    assert isinstance(items, list)
    schemas = {str(item["name"]): item["payload_schema"] for item in items if isinstance(item, dict)}
    assert "No JSON Schema" in str(schemas["bad.type"])
    assert "hunter2" not in answer.text
    assert "properties" in str(schemas["good.type"])
    assert api.call("GET", "/v1/job-types/bad.type").status == 200
