// Calls of the API, typed by its OpenAPI document.

import type { Operations, Problem as ProblemDocument } from "../../generated/schema.ts";
import { renewed, token } from "./session.ts";

/** The API's own refusal (RFC 9457), in its words. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly flaws: { pointer: string; detail: string }[];

  constructor(status: number, code: string, detail: string, flaws: { pointer: string; detail: string }[] = []) {
    super(detail);
    this.status = status;
    this.code = code;
    this.flaws = flaws;
  }
}

/** No answer: the network or the server is away. */
export class Unreachable extends Error {
  constructor() {
    super("Headrace cannot be reached.");
  }
}

type Key = keyof Operations;
type Given<Name extends string, Value> = [Value] extends [undefined] ? { [K in Name]?: undefined } : { [K in Name]: Value };
type Optional<Value> = [Value] extends [undefined] ? { query?: undefined } : { query?: Value };
export type Arguments<K extends Key> = Given<"path", Operations[K]["path"]> &
  Given<"body", Operations[K]["body"]> &
  Optional<Operations[K]["query"]> & { headers?: Record<string, string>; signal?: AbortSignal | undefined };

/** Where the API is: beside the page, also below a path of a gateway. */
export const ROOT = new URL(".", document.baseURI);

export async function call<K extends Key>(key: K, given: Arguments<K>): Promise<Operations[K]["response"]> {
  const [method = "", template = ""] = key.split(" ", 2);
  const path = template.slice(1).replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(valueOf(given.path, name)));
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(given.query ?? {})) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") url.searchParams.append(name, String(each));
    }
  }
  const body = given.body === undefined ? null : JSON.stringify(given.body);
  const send = () => sent(url, method, body, given.headers ?? {}, given.signal);
  let response = await send();
  if (response.status === 401 && (await renewed(true))) response = await send();
  if (!response.ok && response.status !== 304) throw await problemOf(response);
  const text = response.status === 204 || response.status === 304 ? "" : await response.text();
  return (text ? JSON.parse(text) : undefined) as Operations[K]["response"];
}

async function sent(url: URL, method: string, body: string | null, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  const own: Record<string, string> = { authorization: `Bearer ${token()}`, ...headers };
  if (body !== null) own["content-type"] = "application/json";
  try {
    return await fetch(url, { method, body, headers: own, signal: signal ?? null, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
}

function valueOf(path: unknown, name: string): string {
  return String((path as Record<string, unknown>)[name]);
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const found = JSON.parse(text) as Partial<ProblemDocument> & { message?: string };
    const detail = found.detail ?? found.message ?? response.statusText;
    return new Problem(response.status, found.code ?? "", detail, found.errors ?? []);
  } catch {
    return new Problem(response.status, "", response.statusText || `HTTP ${response.status}`);
  }
}
