// Who is signed in. Tokens are kept in this module's memory alone: a closed tab has none, and no script can read any later.
// The local stack's proof is kept by the tab; without the cookie, which no script can read, it is worth nothing.

import { beginSignIn, completeSignIn, endSignIn, refreshed, refuses, Refused, type Grant, type Provider } from "./openid.ts";

export type Session = { state: "starting" } | { state: "out"; why: string; canSignIn: boolean } | { state: "in" };

interface Held {
  token: string;
  until: number;
  refresh: string | null;
}

const SESSION = new URL("ui/session", document.baseURI);
const NOT_CONFIGURED = "Nobody can sign in here: this deployment has no client id for the page (the parameter UiClientId).";
const ENDED = "Your session has ended.";
const PROOF = "headrace.proof";
const EARLY = 60_000;

let held: Held | null = null;
let provider: Provider | null = null;
let current: Session = { state: "starting" };
let renewing: Promise<boolean> | null = null;
/** Raised when somebody leaves: a renewal that began before is for nobody. */
let turn = 0;
const listeners = new Set<() => void>();

export function session(): Session {
  return current;
}

export function onSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether somebody is signed in by the local stack. */
export function isOfThisMachine(): boolean {
  return current.state === "in" && provider === null;
}

export function token(): string {
  if (held && held.until - Date.now() < EARLY) void renewed();
  return held?.token ?? "";
}

/** Find out who comes: by a link's code, by the cookie of the local stack, or from the identity provider. */
export async function start(): Promise<void> {
  const code = linkCode();
  try {
    const response = await fetch(new URL("ui/config.json", document.baseURI), { cache: "no-store" });
    provider = ((await response.json()) as { sign_in: Provider | null }).sign_in;
    if (provider) await startAtProvider(provider);
    else hold(await fromHere(code ? { code } : { proof: kept() }));
  } catch (error) {
    leave(error instanceof Error ? error.message : "Headrace cannot be reached.", provider !== null);
  }
}

export async function signIn(): Promise<void> {
  if (!provider) return start();
  try {
    await beginSignIn(provider);
  } catch (error) {
    leave(error instanceof Error ? error.message : String(error), true);
  }
}

/** Forget who is here at once; say so if the stack does not. */
export async function signOut(): Promise<void> {
  held = null;
  turn += 1;
  if (provider) return endSignIn(provider, () => leave("You have signed out.", true));
  sessionStorage.removeItem(PROOF);
  const response = await fetch(SESSION, { method: "DELETE" }).catch(() => null);
  if (response?.ok) return leave("You have signed out. `headrace ui` opens the page again.", false);
  const why = response ? `the stack answered ${response.status}` : "the stack cannot be reached";
  leave(`Signing out failed: ${why}. This tab has forgotten you; other tabs may still be signed in, until the stack ends.`, false);
}

/** Get another token; whether there is one. `rejected` says that the API does not take the one that is held. */
export function renewed(rejected = false): Promise<boolean> {
  renewing ??= renew(rejected).finally(() => {
    renewing = null;
  });
  return renewing;
}

/** A token is kept until its end, unless it is rejected or another is refused; what fails in passing is asked again. */
async function renew(rejected: boolean): Promise<boolean> {
  if (!held) return false;
  const { refresh, until } = held;
  const began = turn;
  let why = ENDED;
  let ends = rejected;
  try {
    const grant = !provider ? await fromHere({ proof: kept() }) : refresh ? await refreshed(provider, refresh) : null;
    if (began !== turn) return false;
    if (grant) return hold(grant);
  } catch (error) {
    ends = error instanceof Refused;
    if (error instanceof Refused && !provider) why = error.message;
  }
  if (began === turn && (ends || until <= Date.now())) leave(why, provider !== null);
  return false;
}

async function startAtProvider(known: Provider): Promise<void> {
  const found = await completeSignIn(known);
  if (found === "begin") return beginSignIn(known);
  if (found === "ask") return leave("", true);
  hold(found);
}

/** Another token of the local stack; throws `Refused` when it knows neither the code nor cookie and proof. */
async function fromHere(given: { code: string } | { proof: string }): Promise<Grant & { proof: string }> {
  const body = JSON.stringify(given);
  const response = await fetch(SESSION, { method: "POST", body, headers: { "content-type": "application/json" } });
  if (response.status === 401) {
    const { message } = (await response.json()) as { message: string };
    throw new Refused("code" in given ? sentence(message) : "Nobody is signed in. Run `headrace ui` to open the page signed in.");
  }
  if (response.status === 404) throw new Refused(NOT_CONFIGURED);
  const failed = `Signing in failed (${response.status}).`;
  if (refuses(response.status)) throw new Refused(failed);
  if (!response.ok) throw new Error(failed);
  const found = (await response.json()) as { token: string; expires_in: number; proof: string };
  return { token: found.token, seconds: found.expires_in, refresh: null, proof: found.proof };
}

function kept(): string {
  return sessionStorage.getItem(PROOF) ?? "";
}

/** The code of a link, which is taken out of the address at once. */
function linkCode(): string {
  const found = /^#code=([\w-]+)$/.exec(location.hash);
  if (found) history.replaceState(null, "", `${location.pathname}#/`);
  return found?.[1] ?? "";
}

function hold(grant: Grant & { proof?: string }): true {
  if (grant.proof) sessionStorage.setItem(PROOF, grant.proof);
  held = { token: grant.token, until: Date.now() + grant.seconds * 1000, refresh: grant.refresh };
  change({ state: "in" });
  return true;
}

function leave(why: string, canSignIn: boolean): void {
  held = null;
  turn += 1;
  change({ state: "out", why, canSignIn });
}

function change(next: Session): void {
  if (next.state === "in" && current.state === "in") return;
  current = next;
  for (const listener of listeners) listener();
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
