// Who is signed in. Tokens are kept in this module's memory alone: a closed tab has none, and no script can read any later.

import { beginSignIn, completeSignIn, endSignIn, refreshed, type Grant, type Provider } from "./openid.ts";

export type Session = { state: "starting" } | { state: "out"; why: string; canSignIn: boolean } | { state: "in" };

interface Held {
  token: string;
  until: number;
  refresh: string | null;
}

const SESSION = new URL("ui/session", document.baseURI);
const NOT_CONFIGURED = "Nobody can sign in here: this deployment has no client id for the page (the parameter UiClientId).";
const EARLY = 60_000;

let held: Held | null = null;
let provider: Provider | null = null;
let current: Session = { state: "starting" };
let renewing: Promise<boolean> | null = null;
const listeners = new Set<() => void>();

export function session(): Session {
  return current;
}

export function onSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
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
    else await startHere(code);
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

export async function signOut(): Promise<void> {
  held = null;
  if (provider) return endSignIn(provider, () => leave("You have signed out.", true));
  await fetch(SESSION, { method: "DELETE" }).catch(() => undefined);
  leave("You have signed out. `headrace ui` opens the page again.", false);
}

/** Get another token; whether there is one. */
export function renewed(): Promise<boolean> {
  renewing ??= renew().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function renew(): Promise<boolean> {
  if (!provider) return fromHere("");
  const refresh = held?.refresh;
  if (refresh) {
    const grant = await refreshed(provider, refresh).catch(() => null);
    if (grant) return hold(grant);
  }
  leave("Your session has ended.", true);
  return false;
}

async function startAtProvider(known: Provider): Promise<void> {
  const found = await completeSignIn(known);
  if (found === "begin") return beginSignIn(known);
  if (found === "ask") return leave("", true);
  hold(found);
}

async function startHere(code: string): Promise<void> {
  if (await fromHere(code)) return;
  if (current.state === "starting") leave(NOT_CONFIGURED, false);
}

async function fromHere(code: string): Promise<boolean> {
  const body = JSON.stringify(code ? { code } : {});
  const response = await fetch(SESSION, { method: "POST", body, headers: { "content-type": "application/json" } });
  if (response.status === 401) {
    const { message } = (await response.json()) as { message: string };
    leave(code ? sentence(message) : "Nobody is signed in. Run `headrace ui` to open the page signed in.", false);
    return false;
  }
  if (!response.ok) {
    leave(response.status === 404 ? NOT_CONFIGURED : `Signing in failed (${response.status}).`, false);
    return false;
  }
  const found = (await response.json()) as { token: string; expires_in: number };
  return hold({ token: found.token, seconds: found.expires_in, refresh: null });
}

/** The code of a link, which is taken out of the address at once. */
function linkCode(): string {
  const found = /^#code=([\w-]+)$/.exec(location.hash);
  if (found) history.replaceState(null, "", `${location.pathname}#/`);
  return found?.[1] ?? "";
}

function hold(grant: Grant): true {
  held = { token: grant.token, until: Date.now() + grant.seconds * 1000, refresh: grant.refresh };
  change({ state: "in" });
  return true;
}

function leave(why: string, canSignIn: boolean): void {
  held = null;
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
