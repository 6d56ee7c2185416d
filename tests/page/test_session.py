"""Signing in and out, and what others see."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from playwright.sync_api import Browser, Page, Route, expect

from headrace.emulator.tokens import AUDIENCE, ISSUER, KEY_ID
from tests.page.conftest import Mill, visit


def test_a_link_signs_in_once_and_leaves_nothing_behind(
    opened: Callable[..., Page], mill: Mill, chromium: Browser
) -> None:
    page = opened()
    assert page.evaluate("() => location.href") == f"{mill.url}/ui#/"
    stored = page.evaluate("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    local, tab, cookies = json.loads(stored)
    assert (local, list(tab), cookies) == ({}, ["headrace.proof"], "")
    link = mill.link()
    thief = chromium.new_context().new_page()
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector(".shell")
    thief.goto(link)
    expect(thief.locator("main")).to_contain_text("The link was used or is too old")
    thief.context.close()


def test_a_reload_stays_signed_in_and_signing_out_ends_it(opened: Callable[..., Page]) -> None:
    page = opened()
    visit(page, "#/types")
    page.reload()
    expect(page.get_by_role("heading", name="Types")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("main")).to_contain_text("You have signed out")
    page.reload()
    expect(page.locator("main")).to_contain_text("Nobody is signed in")


@pytest.mark.parametrize("screen", ["lanes", "webhooks", "users"])
def test_a_member_is_not_offered_what_is_for_admins(opened: Callable[..., Page], screen: str) -> None:
    page = opened("miller@example.com")
    expect(page.get_by_role("link", name="Schedules")).to_be_visible()
    assert page.get_by_role("link", name=screen.capitalize(), exact=True).count() == 0
    visit(page, f"#/{screen}")
    expect(page.locator("main")).to_contain_text("Admins only")
    visit(page, "#/jobs")
    expect(page.locator("main")).to_contain_text("No jobs here")
    assert page.get_by_text("Everyone's").count() == 0


def test_who_is_no_user_is_told_so(opened: Callable[..., Page], chromium: Browser, mill: Mill) -> None:
    page = chromium.new_context().new_page()
    page.goto(mill.link("stranger@example.com"))
    expect(page.get_by_role("alert")).to_contain_text("there is no user")
    page.context.close()


class Provider:
    """An OpenID Connect provider: plays the endpoints, and checks what the page sends to them."""

    def __init__(self, mill: Mill) -> None:
        key = load_pem_private_key((mill.folder / ".headrace/token-key.pem").read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        self._key = key
        self.asked: dict[str, str] = {}
        self.nonce: str | None = None
        """Another nonce than the one that was asked for."""

    def serve(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        match url.path:
            case "/.well-known/openid-configuration":
                ends = ("authorization", "token", "end_session")
                self._json(route, {"issuer": ISSUER} | {f"{each}_endpoint": f"{ISSUER}/{each}" for each in ends})
            case "/authorization":
                self.asked = {name: values[0] for name, values in parse_qs(url.query).items()}
                back = urlencode({"code": "the-code", "state": self.asked["state"]})
                # No redirect: Playwright lets no route answer what a redirect leads to.
                back_to = json.dumps(f"{self.asked['redirect_uri']}?{back}")
                route.fulfill(content_type="text/html", body=f"<script>location.replace({back_to})</script>")
            case "/token":
                self._token(
                    route, {name: values[0] for name, values in parse_qs(route.request.post_data or "").items()}
                )
            case _:
                route.fulfill(status=200, body="signed out")

    def _token(self, route: Route, given: dict[str, str]) -> None:
        digest = base64.urlsafe_b64encode(hashlib.sha256(given["code_verifier"].encode()).digest()).decode().rstrip("=")
        assert digest == self.asked["code_challenge"]
        assert (given["code"], given["grant_type"]) == ("the-code", "authorization_code")
        claims = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "dev@example.com", "email": "dev@example.com",
            "email_verified": True, "iat": 1_700_000_000, "exp": 4_000_000_000,
            "nonce": self.nonce or self.asked["nonce"],
        }  # fmt: skip
        self._json(route, {"id_token": jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID})})

    def _json(self, route: Route, document: object) -> None:
        route.fulfill(json=document, headers={"access-control-allow-origin": "*"})


@pytest.fixture
def provider(mill: Mill) -> Provider:
    return Provider(mill)


@pytest.fixture
def deployed(chromium: Browser, mill: Mill, provider: Provider) -> Page:
    """The page as a deployment with a client id serves it."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    sign_in = {"sign_in": {"issuer": ISSUER, "client_id": AUDIENCE}}
    page.route("**/ui/config.json", lambda route: route.fulfill(json=sign_in))
    page.route(f"{ISSUER}/**", provider.serve)

    def with_issuer(route: Route) -> None:
        answer = route.fetch()
        policy = answer.headers["content-security-policy"].replace("connect-src 'self'", f"connect-src 'self' {ISSUER}")
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

    page.route(re.compile(r"/ui(\?.*)?$"), with_issuer)
    return page


def test_a_deployment_signs_in_by_code_with_pkce_state_and_nonce(
    deployed: Page, mill: Mill, provider: Provider
) -> None:
    deployed.goto(f"{mill.url}/ui#/types")
    deployed.get_by_role("button", name="Sign in").click()
    expect(deployed.get_by_role("heading", name="Types")).to_be_visible()
    asked = provider.asked
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "openid email")
    assert min(len(asked["state"]), len(asked["nonce"])) >= 32
    assert deployed.url == f"{mill.url}/ui#/types", "neither code nor token is in the address"
    stored = deployed.evaluate("() => JSON.stringify({ ...localStorage, ...sessionStorage })")
    assert json.loads(stored) == {"headrace.was-signed-in": "yes"}
    deployed.reload()
    expect(deployed.get_by_role("heading", name="Types")).to_be_visible()
    deployed.get_by_role("button", name="Sign out").click()
    deployed.wait_for_url(f"{ISSUER}/end_session?*")
    assert "token" not in deployed.url
    assert parse_qs(urlsplit(deployed.url).query)["logout_uri"] == [f"{mill.url}/ui"]
    deployed.context.close()


def test_an_answer_that_was_not_asked_for_signs_nobody_in(deployed: Page, mill: Mill, provider: Provider) -> None:
    deployed.goto(f"{mill.url}/ui?code=stolen&state=guessed")
    expect(deployed.locator("main")).to_contain_text("This sign-in was not begun here")
    provider.nonce = "of another sign-in"
    deployed.get_by_role("button", name="Sign in").click()
    expect(deployed.locator("main")).to_contain_text("not for this page (nonce)")
    deployed.context.close()
