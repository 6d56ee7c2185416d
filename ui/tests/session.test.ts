import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

type Answer = Response | Error | Promise<Response>;

const ISSUER = "https://id.example.com";
const PROVIDER = { issuer: ISSUER, client_id: "page" };
const METADATA = { issuer: ISSUER, authorization_endpoint: `${ISSUER}/a`, token_endpoint: `${ISSUER}/t`, end_session_endpoint: `${ISSUER}/e` };

/** What answers each address, by its end; what was asked; where the browser was sent. */
let answers: Record<string, () => Answer>;
let asked: { what: string; body: string }[];
let sentTo: string;
let loaded = 0;

function store() {
  const items = new Map<string, string>();
  return { getItem: (name: string) => items.get(name) ?? null, setItem: (name: string, value: string) => items.set(name, value), removeItem: (name: string) => items.delete(name) };
}

function json(document: object, status = 200): Response {
  return new Response(JSON.stringify(document), { status });
}

function idToken(seconds: number, more: object = {}): string {
  const claims = { iss: ISSUER, aud: "page", exp: Date.now() / 1000 + seconds, ...more };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  asked = [];
  sentTo = "";
  const location = { hash: "", search: "", origin: "https://api.example.com", pathname: "/ui", assign: (url: URL) => { sentTo = String(url); } };
  const fetch = async (url: URL | string, given: { method?: string; body?: string } = {}) => {
    asked.push({ what: `${given.method ?? "GET"} ${new URL(url).pathname}`, body: String(given.body ?? "") });
    const end = Object.keys(answers).find((each) => String(url).endsWith(each));
    const answer = await answers[end ?? ""]?.();
    if (!(answer instanceof Response)) throw answer ?? new TypeError("fetch failed");
    return answer;
  };
  const history = { replaceState: () => undefined };
  Object.assign(globalThis, { document: { baseURI: "https://api.example.com/" }, location, history, sessionStorage: store(), fetch });
});

/** A fresh page of the local stack, signed in by a link for 30 minutes. */
async function local() {
  const grant = () => json({ token: `token-${asked.length}`, expires_in: 1800, proof: "the-proof" });
  answers = { "config.json": () => json({ sign_in: null }), "ui/session": grant };
  location.hash = "#code=abc";
  return begun();
}

/** A fresh page of a deployment, to which the provider has sent somebody back, with a token for 1 hour. */
async function deployed(refresh: string | null) {
  sessionStorage.setItem("headrace.sign-in", JSON.stringify({ verifier: "v", state: "s", nonce: "n", hash: "#/" }));
  location.search = "?state=s&code=c";
  answers = {
    "config.json": () => json({ sign_in: PROVIDER }),
    "openid-configuration": () => json(METADATA),
    "/t": () => json({ id_token: idToken(3600, { nonce: "n" }), refresh_token: refresh ?? undefined }),
  };
  return begun();
}

async function begun() {
  loaded += 1;
  const page = (await import(`../src/api/session.ts?${loaded}`)) as typeof import("../src/api/session.ts");
  await page.start();
  assert.equal(page.session().state, "in");
  return page;
}

function why(page: typeof import("../src/api/session.ts")): string {
  const known = page.session();
  return known.state === "out" ? known.why : known.state;
}

const minutes = (count: number) => mock.timers.tick(count * 60_000);

test("a link's code is exchanged, and a renewal gives the proof that the tab has kept", async () => {
  const page = await local();
  assert.equal(sessionStorage.getItem("headrace.proof"), "the-proof");
  assert.ok(await page.renewed());
  assert.deepEqual(asked.slice(1).map((each) => each.body), ['{"code":"abc"}', '{"proof":"the-proof"}']);
});

test("what fails in passing leaves the token to its end", async () => {
  for (const failing of [() => new TypeError("offline"), () => json({}, 503), () => json({}, 429)]) {
    const page = await local();
    answers["ui/session"] = failing;
    minutes(29.5);
    const held = page.token();
    assert.equal(await page.renewed(true), false);
    assert.deepEqual([page.session().state, page.token()], ["in", held]);
    minutes(1);
    await page.renewed();
    assert.equal(why(page), "Your session has ended.");
  }
});

test("a refusal ends the session", async () => {
  const page = await local();
  answers["ui/session"] = () => json({ message: "no" }, 401);
  await page.renewed();
  assert.match(why(page), /^Nobody is signed in/);
  assert.equal(page.token(), "");
});

test("a provider's refresh token is used; its network error ends nothing, its refusal does", async () => {
  const page = await deployed("r");
  answers["/t"] = () => new TypeError("offline");
  assert.equal(await page.renewed(), false);
  assert.equal(why(page), "in");
  answers["/t"] = () => json({ error: "invalid_grant" }, 400);
  await page.renewed();
  assert.equal(why(page), "Your session has ended.");
});

test("without a refresh token the last minute is not lost; a token that the API rejects is", async () => {
  const page = await deployed(null);
  minutes(59.5);
  assert.notEqual(page.token(), "");
  await page.renewed();
  assert.equal(why(page), "in");
  await page.renewed(true);
  assert.equal(why(page), "Your session has ended.");
});

test("a renewal under way does not undo a sign-out", async () => {
  const page = await local();
  let answer = (_: Response): void => undefined;
  answers["ui/session"] = () => (asked.at(-1)?.what.startsWith("DELETE") ? new Response(null, { status: 204 }) : new Promise((resolve) => (answer = resolve)));
  const renewal = page.renewed();
  await page.signOut();
  answer(json({ token: "late", expires_in: 1800, proof: "late" }));
  assert.equal(await renewal, false);
  assert.match(why(page), /^You have signed out/);
  assert.deepEqual([page.token(), sessionStorage.getItem("headrace.proof")], ["", null]);
});

test("signing out says when it failed, and forgets the tab's proof all the same", async () => {
  for (const [answer, said] of [[() => json({}, 500), /failed: the stack answered 500/], [() => new TypeError("offline"), /failed: the stack cannot be reached/]] as const) {
    const page = await local();
    answers["ui/session"] = answer;
    await page.signOut();
    assert.match(why(page), said);
    assert.deepEqual([page.token(), sessionStorage.getItem("headrace.proof")], ["", null]);
  }
});

test("a sign-out at the provider names the way back as OpenID Connect and as Cognito do", async () => {
  const page = await deployed(null);
  await page.signOut();
  const query = new URL(sentTo).searchParams;
  assert.equal(query.get("post_logout_redirect_uri"), "https://api.example.com/ui");
  assert.equal(query.get("logout_uri"), "https://api.example.com/ui");
});
