"""/ui: the page's files, compressed, cached, and with a policy that lets it load nothing from elsewhere."""

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from functions.api.ui.routes import page_routes
from functions.settings import PageSettings
from tests.unit.api.conftest import Api

HTML = b"<!doctype html><title>Headrace</title>"
BROTLI = b"\x0b\x02\x80brotli"
SCRIPT = "index-CH8WnkQW.js"
NOBODY = PageSettings(issuer="", client_id="", origins=())
SOMEBODY = PageSettings(issuer="https://issuer.test/pool", client_id="page", origins=("https://login.issuer.test",))


def client(built: Path, settings: PageSettings = NOBODY) -> httpx.AsyncClient:
    app = httpx.ASGITransport(Starlette(routes=page_routes(settings, built).routes))
    return httpx.AsyncClient(transport=app, base_url="http://page.test", headers={"accept-encoding": "identity"})


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    for name, content in (("index.html", HTML), (f"assets/{SCRIPT}", b"go()"), ("assets/style-1.css", b"p{}")):
        (tmp_path / f"{name}.br").write_bytes(BROTLI)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    return tmp_path


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("BR;q=0, GZIP", "gzip"), ("br;q=0.000", ""), ("", "")],
)
async def test_a_browser_gets_the_best_compression_that_it_takes(built: Path, accepted: str, coding: str) -> None:
    async with client(built).stream("GET", "/ui", headers={"accept-encoding": accepted}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers.get("content-encoding", "") == coding
    assert raw == {"br": BROTLI, "gzip": (built / "index.html.gz").read_bytes(), "": HTML}[coding]
    assert answer.headers["vary"] == "accept-encoding"


async def test_a_browser_that_has_the_page_gets_304_and_the_same_headers(built: Path) -> None:
    api = client(built)
    first = await api.get("/ui")
    again = await api.get("/ui", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert (await api.get("/ui", headers={"if-none-match": '"another"'})).status_code == 200


async def test_the_page_is_asked_for_anew_and_assets_are_kept_for_a_year(built: Path) -> None:
    api = client(built)
    assert (await api.get("/ui")).headers["cache-control"] == "no-cache"
    for name, kind in ((SCRIPT, "text/javascript"), ("style-1.css", "text/css")):
        answer = await api.get(f"/ui/assets/{name}")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"].startswith(kind)


async def test_the_policy_permits_nothing_inline_and_nothing_from_elsewhere(built: Path) -> None:
    policy = (await client(built).get("/ui")).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "https:" not in policy
    assert {"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))


async def test_where_people_sign_in_may_be_called_too(built: Path) -> None:
    api = client(built, SOMEBODY)
    policy = (await api.get("/ui")).headers["content-security-policy"]
    assert "connect-src 'self' https://issuer.test https://login.issuer.test" in policy.split("; ")
    assert (await api.get("/ui/config.json")).json() == {
        "sign_in": {"issuer": "https://issuer.test/pool", "client_id": "page"}
    }


async def test_without_a_client_nobody_signs_in(built: Path) -> None:
    assert (await client(built).get("/ui/config.json")).json() == {"sign_in": None}


async def test_a_script_of_another_version_is_one_that_asks_again(built: Path) -> None:
    answer = await client(built).get("/ui/assets/index-OTHER.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "location.reload" in answer.text


@pytest.mark.parametrize(
    "name", ["style-OTHER.css", "..%2Findex.html", "%2e%2e%2fserving.py", "a.map", "index.html", ".js.gz"]
)
async def test_other_files_are_not_served(built: Path, name: str) -> None:
    assert (await client(built).get(f"/ui/assets/{name}")).status_code == 404


async def test_a_page_that_was_not_built_says_so(tmp_path: Path) -> None:
    answer = await client(tmp_path).get("/ui")
    assert answer.status_code == 503
    assert "make setup" in answer.text


def test_the_api_serves_it_to_anyone() -> None:
    assert Api().call("GET", "/ui/config.json", who=None).json == {"sign_in": None}
