"""/ and /docs: complete, loading nothing, and safe whatever the document says."""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from pydantic import JsonValue

from functions.api.documentation.description import Call, Description, Schema
from functions.api.documentation.examples import example, example_body
from functions.api.documentation.index import index_page
from functions.api.documentation.markup import element, raw_element
from functions.api.documentation.reference import reference_page
from functions.api.documentation.schemas import type_of
from headrace.emulator.cloudformation import ROOT
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, Api

DOCUMENT: dict[str, JsonValue] = json.loads((ROOT / "docs/openapi.json").read_text())
DESCRIPTION = Description.model_validate(DOCUMENT)
SCHEMAS = DESCRIPTION.components.schemas
PAGES = ("/", "/docs")
SCHEDULE: dict[str, JsonValue] = {"name": "n", "every_seconds": 60, "type": "csv.profile", "payload": {"csv": "a\n"}}
VOID = frozenset({"input", "link", "meta"})
LOADING = frozenset({"src", "srcset", "data", "poster", "background", "action", "formaction", "style", "ping"})
HOSTILE = """"><img src=x onerror=alert(1)>' `</script><script>alert(2)</script>` & <!--"""


class Markup(HTMLParser):
    """What a page holds; refuses a page whose tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.contents: dict[str, str] = {}
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._open:
            self.contents[self._open[-1]] = self.contents.get(self._open[-1], "") + data

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@pytest.fixture(scope="module")
async def api() -> Api:
    """One for all: what takes long is that an API describes itself, which each does once."""
    users = FakeUserRepository()
    for user in (MEMBER, ADMIN):
        await users.add(user)
    return Api(users=users)


def calls() -> list[Call]:
    return list(DESCRIPTION.calls())


def policy(headers: Mapping[str, JsonValue]) -> dict[str, str]:
    directives = (part.strip().partition(" ") for part in str(headers["content-security-policy"]).split(";"))
    return {name: value for name, _, value in directives}


def source_of(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def test_every_operation_of_the_document_has_a_section_with_a_command_and_a_form(api: Api) -> None:
    page = api.call("GET", "/docs", who=None).text
    paths = DOCUMENT["paths"]
    assert isinstance(paths, dict)
    assert len(calls()) == sum(len(members) for members in paths.values() if isinstance(members, dict))
    for call in calls():
        _, _, rest = page.partition(f'<article id="{call.operation.id}">')
        section = rest.partition("</article>")[0]
        for shown in (call.method, call.path, call.operation.summary, "curl ", f'data-path="{call.path}"'):
            assert shown in section, call.operation.id
        for status in call.operation.responses:
            assert f"<code>{status}</code>" in section, (call.operation.id, status)
        for parameter in call.operation.parameters:
            assert f'id="{call.operation.id}-{parameter.name}"' in section


def test_every_schema_has_a_section_with_its_members(api: Api) -> None:
    page = api.call("GET", "/docs", who=None).text
    for name, schema in SCHEMAS.items():
        section = page.partition(f'<article id="schema-{name}">')[2].partition("</article>")[0]
        assert name in section
        assert all(f"<code>{member}</code>" in section for member in schema.properties), name


@pytest.mark.parametrize("path", PAGES)
def test_ids_are_unique_and_links_lead_to_them_or_to_a_path_of_the_api(api: Api, path: str) -> None:
    markup = Markup(api.call("GET", path, who=None).text)
    ids = markup.values("id")
    assert len(ids) == len(set(ids))
    assert set(markup.values("for")) <= set(ids)
    for link in set(markup.values("href")) - {"data:,"}:
        # Relative, for a gateway may serve the API below a path.
        assert link.removeprefix("#") in ids if link.startswith("#") else not link.startswith("/"), link
        if not link.startswith("#"):
            assert api.call("GET", f"/{link}", who=None).status == 200, link


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing(api: Api, path: str) -> None:
    markup = Markup(api.call("GET", path, who=None).text)
    for tag, attributes in markup.elements:
        assert not attributes.keys() & LOADING, tag
        assert not any(name.startswith("on") for name in attributes), tag
        assert "//" not in attributes.get("href", ""), tag
    assert {tag for tag, _ in markup.elements} & {"img", "iframe", "object", "embed", "base", "video", "audio"} == set()
    assert [attributes for tag, attributes in markup.elements if tag == "link"] == [{"rel": "icon", "href": "data:,"}]
    for code in (markup.contents["style"], markup.contents.get("script", "")):
        assert not [word for word in ("http:", "https:", "url(", "@import", "import(", "innerHTML") if word in code]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_run_its_own_style_and_script_and_nothing_else(api: Api, path: str) -> None:
    page = api.call("GET", path, who=None)
    markup = Markup(page.text)
    scripts = [attributes for tag, attributes in markup.elements if tag == "script"]
    assert scripts == ([{}] if path == "/docs" else [])
    calling = {"script-src": source_of(markup.contents["script"]), "connect-src": "'self'"} if scripts else {}
    assert policy(page.headers) == {
        "default-src": "'none'",
        "style-src": source_of(markup.contents["style"]),
        **calling,
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_anyone_and_says_how_it_may_be_used(api: Api, path: str) -> None:
    page = api.call("GET", path, who=None)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cross-origin-opener-policy"] == page.headers["cross-origin-resource-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_is_logged_by_its_route(api: Api, method: str, path: str) -> None:
    api.call(method, path, who=None)
    assert json.loads(api.log.getvalue().splitlines()[-1])["route"] == path


@pytest.mark.parametrize("path", PAGES)
def test_a_page_that_the_browser_has_is_not_sent_again(api: Api, path: str) -> None:
    full = api.call("GET", path, who=None)
    for field in (str(full.headers["etag"]), f'"x", W/{full.headers["etag"]}', "*"):
        same = api.call("GET", path, who=None, headers={"if-none-match": field})
        assert (same.status, same.text) == (304, "")
        assert dict(same.headers) == {name: value for name, value in full.headers.items() if name != "content-length"}
    for field in ('"x"', "malformed"):
        assert api.call("GET", path, who=None, headers={"if-none-match": field}).status == 200


def test_pages_stay_small(api: Api) -> None:
    assert len(api.call("GET", "/docs", who=None).text.encode()) < 275_000, "FastAPI's page loads 1.9 MB"
    assert len(api.call("GET", "/", who=None).text.encode()) < 10_000


def test_a_cold_start_imports_no_feature_but_jobs() -> None:
    program = "import sys, functions.api.app; print(*(n for n in sys.modules if n.startswith('functions.api.')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    features = {name.split(".")[2] for name in done.stdout.split() if name.endswith((".routes", ".models"))}
    assert features == {"jobs"}


def test_every_example_is_accepted(api: Api) -> None:
    with_bodies = [call for call in calls() if call.operation.body]
    assert with_bodies
    schedule = api.call("POST", "/v1/schedules", SCHEDULE, who=ADMIN).json["id"]
    key = api.call("POST", f"/v1/users/{MEMBER.id}/principals", {"name": "a key"}, who=ADMIN).json["id"]
    webhook = api.call("POST", "/v1/webhooks", {"url": "https://example.com"}, who=ADMIN).json["id"]
    job = api.call("POST", "/v1/jobs", {"type": "csv.profile", "payload": {"csv": "a"}}, who=ADMIN).json["id"]
    made = {
        "{job_id}": str(job), "{name}": "approved",
        "{user_id}": MEMBER.id, "{schedule_id}": str(schedule), "{principal_id}": str(key), "{webhook_id}": str(webhook)
    }  # fmt: skip
    for call in with_bodies:
        body = example_body(call, SCHEMAS)
        path = "/".join(made.get(step, step) for step in call.path.split("/"))
        answer = api.call(call.method, path, json.loads(str(body)), who=ADMIN, headers={"if-match": "*"})
        assert str(answer.status) < "300", (call.operation.id, answer.text)


def test_whatever_the_document_says_stays_text() -> None:
    schema: JsonValue = {
        "type": "object", "description": HOSTILE, "properties": {HOSTILE: {"type": "string", "pattern": HOSTILE}},
        "required": [HOSTILE], "examples": [{"a": HOSTILE}],
    }  # fmt: skip
    operation: JsonValue = {
        "operationId": "x", "summary": HOSTILE, "description": HOSTILE, "tags": ["t"],
        "parameters": [{"name": HOSTILE, "in": "query", "required": True, "description": HOSTILE, "schema": schema}],
        "requestBody": {"content": {HOSTILE: {"schema": schema}}},
        "responses": {"200": {"description": HOSTILE, "content": {HOSTILE: {"schema": {"enum": [HOSTILE]}}}}},
    }  # fmt: skip
    document: dict[str, JsonValue] = {
        "info": {"title": HOSTILE, "version": HOSTILE, "description": HOSTILE},
        "paths": {f"/{HOSTILE}": {"post": operation}},
        "components": {"schemas": {"S": schema}},
    }
    for page in (reference_page(document), index_page(document)):
        markup = Markup(page.html)
        tags = [tag for tag, _ in markup.elements]
        assert "img" not in tags
        assert tags.count("script") <= 1
        assert "alert" not in markup.contents.get("script", "")


def test_a_script_that_would_end_its_element_is_refused() -> None:
    for content in ("'</script>'", "<!-- x"):
        with pytest.raises(ValueError, match="markup"):
            raw_element("script", content)


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({}, "any JSON"),
        ({"type": "string", "minLength": 1, "maxLength": 64}, "string (1 to 64 characters)"),
        ({"type": "integer", "minimum": 0}, "integer (at least 0)"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 20}, "array of string (at most 20 items)"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "string (date-time) or null"),
        ({"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/S"}]}, "object and S"),
        ({"enum": ["a", 1]}, '"a" | 1'),
        ({"const": "ok"}, '"ok"'),
        ({"type": "string", "pattern": "^a<b$"}, "string (pattern ^a<b$)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_type_is_told_in_a_line(schema: JsonValue, shown: str) -> None:
    markup = Markup(element("p", type_of(Schema.model_validate(schema))))
    assert "".join(markup.texts) == shown


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"examples": [7], "type": "integer"}, 7),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": "ok"}, "ok"),
        ({"anyOf": [{"type": "number", "minimum": 3}, {"type": "null"}]}, 3),
        ({"type": "array", "items": {"type": "boolean"}}, [False]),
        ({"type": "string", "format": "date-time"}, "2026-11-23T03:00:00Z"),
        ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {}}}, {"a": "text"}),
        ({"$ref": "#/components/schemas/S"}, {}),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_an_example_fits_its_schema(schema: JsonValue, value: JsonValue) -> None:
    assert example(Schema.model_validate(schema), {"S": Schema()}) == value
