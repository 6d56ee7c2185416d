"""How people sign in to the page of the local stack: by a link, once, then by a cookie, until they leave."""

import json
import socket
import time

import httpx
import pytest

from tests.e2e.conftest import Cli, Stack

PATH = "/ui/session"


def link_code(cli: Cli, *arguments: str) -> str:
    return cli.ok("ui", "--no-open", *arguments).partition("#code=")[2]


@pytest.fixture
def browser(stack_running: Stack) -> httpx.Client:
    return httpx.Client(base_url=stack_running.url, headers={"sec-fetch-site": "same-origin"}, timeout=30)


def test_a_link_signs_in_once(browser: httpx.Client, cli: Cli) -> None:
    code = link_code(cli)
    answer = browser.post(PATH, json={"code": code}).raise_for_status()
    token = answer.json()["token"]
    me = browser.get("/v1/users/me", headers={"authorization": f"Bearer {token}"}).json()
    assert me["email"] == "dev@example.com"
    stolen = httpx.post(f"{browser.base_url}{PATH}", json={"code": code})
    assert stolen.status_code == 401
    assert "token" not in stolen.json()


def test_a_reloaded_page_is_let_in_by_its_cookie_until_it_signs_out(browser: httpx.Client, cli: Cli) -> None:
    answer = browser.post(PATH, json={"code": link_code(cli)})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert f"Path={PATH}" in cookie
    proof = {"proof": answer.json()["proof"]}
    assert "token" in browser.post(PATH, json=proof).json()
    kept = dict(browser.cookies)
    assert browser.delete(PATH).status_code == 204
    assert httpx.post(f"{browser.base_url}{PATH}", json=proof, cookies=kept).status_code == 401


def test_the_cookie_which_all_ports_get_is_worth_nothing_without_the_proof(browser: httpx.Client, cli: Cli) -> None:
    proof = browser.post(PATH, json={"code": link_code(cli)}).json()["proof"]
    assert list(dict(browser.cookies)) == [f"headrace-page-{browser.base_url.port}"]
    for given in ({}, {"proof": ""}, {"proof": "guessed"}, {"proof": "\ud800"}, {"proof": 7}):
        assert browser.post(PATH, content=json.dumps(given)).status_code == 401
    assert httpx.post(f"{browser.base_url}{PATH}", json={"proof": proof}).status_code == 401


def test_a_second_tab_leaves_the_first_signed_in_as_who_it_was(browser: httpx.Client, cli: Cli) -> None:
    proofs = [
        browser.post(PATH, json={"code": link_code(cli, "--as", email)}).json()["proof"]
        for email in ("dev@example.com", "nobody@example.com")
    ]
    token = browser.post(PATH, json={"proof": proofs[0]}).json()["token"]
    me = browser.get("/v1/users/me", headers={"authorization": f"Bearer {token}"}).json()
    assert me["email"] == "dev@example.com"
    browser.delete(PATH)
    assert [browser.post(PATH, json={"proof": proof}).status_code for proof in proofs] == [401, 401]


def test_other_pages_are_refused_whatever_they_know(browser: httpx.Client, cli: Cli) -> None:
    browser.post(PATH, json={"code": link_code(cli)})
    for site in ("cross-site", "same-site", "none"):
        assert browser.post(PATH, json={}, headers={"sec-fetch-site": site}).status_code == 403
        assert browser.delete(PATH, headers={"sec-fetch-site": site}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"[]", b'{"code": 7}', b'{"code": ""}', b"[" * 50_000, b'{"code": "\\ud800"}', b'{"code": "\xff"}',
     b"\xff\xfe{", '{"code": "é"}'.encode("latin-1"), '{"code": "é"}'.encode(), b'{"code": "a/b"}'],
)  # fmt: skip
def test_what_is_no_code_signs_nobody_in(browser: httpx.Client, body: bytes) -> None:
    assert browser.post(PATH, content=body).status_code == 401


def test_a_body_that_is_too_large_is_refused(browser: httpx.Client) -> None:
    assert browser.post(PATH, content=b" " * (10 * 1024 * 1024 + 1)).status_code == 413


def test_a_malformed_body_is_answered_at_once(browser: httpx.Client) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n[\r\n"
    with socket.create_connection((browser.base_url.host, browser.base_url.port or 80), timeout=10) as connection:
        connection.sendall(head.encode())
        time.sleep(0.3)  # The handler is reading by now.
        connection.sendall(b"no chunk\r\n")
        assert b" 400 " in connection.recv(100)


def test_somebody_else_can_be_signed_in(browser: httpx.Client, cli: Cli) -> None:
    answer = browser.post(PATH, json={"code": link_code(cli, "--as", "nobody@example.com")})
    headers = {"authorization": f"Bearer {answer.json()['token']}"}
    assert browser.get("/v1/users/me", headers=headers).json()["code"] == "unknown_user"


def test_the_start_prints_a_link(stack_running: Stack) -> None:
    assert f"page     {stack_running.url}/ui#code=" in (stack_running.folder / "stderr").read_text()


def test_no_link_without_a_stack(tmp_path_factory: pytest.TempPathFactory) -> None:
    done = Cli(tmp_path_factory.mktemp("empty")).run("ui")
    assert done.returncode == 1
    assert "no stack runs in this folder" in done.stderr


def test_the_page_is_served_built_and_with_its_assets(browser: httpx.Client) -> None:
    page = browser.get("/ui").raise_for_status()
    assert page.headers["content-encoding"] == "gzip"
    names = [part.split('"')[0] for part in page.text.split('"./ui/assets/')[1:]] or [
        part.split('"')[0] for part in page.text.split('"ui/assets/')[1:]
    ]
    assert len(names) == 2
    for name in names:
        assert browser.get(f"/ui/assets/{name}").headers["cache-control"].endswith("immutable")
