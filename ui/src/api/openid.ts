// OpenID Connect's code flow with PKCE (RFC 7636), for a public client: state and nonce are checked, tokens are not stored.

export interface Provider {
  issuer: string;
  client_id: string;
}

export interface Grant {
  /** The ID token: it has the address by which Headrace finds its user. */
  token: string;
  seconds: number;
  refresh: string | null;
}

interface Metadata {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  end_session_endpoint?: string;
}

interface Pending {
  verifier: string;
  state: string;
  nonce: string;
  hash: string;
}

/** The provider, or the local stack, has said no: asking again would not help. */
export class Refused extends Error {}

const PENDING = "headrace.sign-in";
const WAS_IN = "headrace.was-signed-in";
const SKEW = 60;

/** Go to the identity provider; it sends the person back to this page. */
export async function beginSignIn(provider: Provider): Promise<void> {
  const { authorization_endpoint } = await metadata(provider);
  const pending: Pending = { verifier: random(48), state: random(24), nonce: random(24), hash: location.hash };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const url = new URL(authorization_endpoint);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(pending.verifier));
  const query = {
    response_type: "code",
    client_id: provider.client_id,
    redirect_uri: here(),
    scope: "openid email",
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  location.assign(url);
}

/** What the provider has answered: a grant; without an answer, whether to begin at once or to ask first. */
export async function completeSignIn(provider: Provider): Promise<Grant | "begin" | "ask"> {
  const answer = new URLSearchParams(location.search);
  const stored = sessionStorage.getItem(PENDING);
  sessionStorage.removeItem(PENDING);
  const pending = stored ? (JSON.parse(stored) as Pending) : null;
  if (!answer.has("state")) return sessionStorage.getItem(WAS_IN) ? "begin" : "ask";
  history.replaceState(null, "", `${location.pathname}${pending?.hash || "#/"}`);
  sessionStorage.removeItem(WAS_IN);
  if (!pending || answer.get("state") !== pending.state) throw new Error("This sign-in was not begun here. Sign in again.");
  const refusal = answer.get("error");
  if (refusal) throw new Error(answer.get("error_description") ?? `The identity provider refused: ${refusal}.`);
  if (answer.has("iss") && answer.get("iss") !== provider.issuer) throw new Error("Another identity provider has answered.");
  const grant = await granted(provider, {
    grant_type: "authorization_code",
    code: answer.get("code") ?? "",
    redirect_uri: here(),
    code_verifier: pending.verifier,
  });
  check(claimsOf(grant.token), provider, pending.nonce);
  sessionStorage.setItem(WAS_IN, "yes");
  return grant;
}

export async function refreshed(provider: Provider, refresh: string): Promise<Grant> {
  const grant = await granted(provider, { grant_type: "refresh_token", refresh_token: refresh });
  check(claimsOf(grant.token), provider, null);
  return { ...grant, refresh: grant.refresh ?? refresh };
}

/** Sign out at the provider too, where it says how; no token is put into the address. */
export async function endSignIn(provider: Provider, otherwise: () => void): Promise<void> {
  sessionStorage.removeItem(WAS_IN);
  const found = await metadata(provider).catch(() => null);
  if (!found?.end_session_endpoint) return otherwise();
  const url = new URL(found.end_session_endpoint);
  url.searchParams.set("client_id", provider.client_id);
  url.searchParams.set("post_logout_redirect_uri", here());
  url.searchParams.set("logout_uri", here()); // Cognito's name for it.
  location.assign(url);
}

/** Whether a status is final; 408 and 429 pass. */
export function refuses(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

async function metadata(provider: Provider): Promise<Metadata> {
  const response = await fetch(`${provider.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  if (!response.ok) throw new Error(`The identity provider does not answer (${response.status}).`);
  const found = (await response.json()) as Metadata;
  if (found.issuer !== provider.issuer) throw new Error("The identity provider calls itself by another name.");
  return found;
}

async function granted(provider: Provider, fields: Record<string, string>): Promise<Grant> {
  const { token_endpoint } = await metadata(provider);
  const body = new URLSearchParams({ ...fields, client_id: provider.client_id });
  const response = await fetch(token_endpoint, { method: "POST", body });
  if (refuses(response.status)) throw new Refused("The identity provider gave no token. Sign in again.");
  if (!response.ok) throw new Error(`The identity provider gave no token (${response.status}). Sign in again.`);
  const found = (await response.json()) as { id_token?: string; refresh_token?: string };
  if (!found.id_token) throw new Error("The identity provider gave no ID token.");
  const seconds = Number(claimsOf(found.id_token).exp) - Date.now() / 1000;
  return { token: found.id_token, seconds, refresh: found.refresh_token ?? null };
}

type Claims = { iss?: string; aud?: string | string[]; azp?: string; exp?: number; nonce?: string };

/** The rules of OpenID Connect Core, 3.1.3.7; the signature is API Gateway's to verify, and TLS vouches for it here. */
function check(claims: Claims, provider: Provider, nonce: string | null): void {
  const audience = [claims.aud ?? []].flat();
  const flaw =
    (claims.iss !== provider.issuer && "issuer") ||
    (!audience.includes(provider.client_id) && "audience") ||
    (audience.length > 1 && claims.azp !== provider.client_id && "authorized party") ||
    ((claims.exp ?? 0) < Date.now() / 1000 - SKEW && "lifetime") ||
    (nonce !== null && claims.nonce !== nonce && "nonce");
  if (flaw) throw new Error(`The identity provider's token is not for this page (${flaw}). Sign in again.`);
}

function claimsOf(token: string): Claims {
  const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (sign) => sign.charCodeAt(0)))) as Claims;
}

function here(): string {
  return `${location.origin}${location.pathname}`;
}

function random(length: number): string {
  return base64url(crypto.getRandomValues(new Uint8Array(length)));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
