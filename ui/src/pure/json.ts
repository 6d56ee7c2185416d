// JSON documents as trees: what stands on one line, and how much of a large one is drawn at once.

import type { JsonValue } from "../../generated/schema.ts";

export const SHOWN_AT_ONCE = 100;
export const SHOWN_OF_TEXT = 400;

export type Kind = "object" | "array" | "string" | "number" | "boolean" | "null";

export function kindOf(value: JsonValue): Kind {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as Kind;
}

export function entriesOf(value: JsonValue): [string, JsonValue][] {
  if (Array.isArray(value)) return value.map((each, index) => [String(index), each]);
  return value !== null && typeof value === "object" ? Object.entries(value) : [];
}

/** What a closed branch holds: `3 members`, `1 item`. */
export function summary(value: JsonValue): string {
  const count = entriesOf(value).length;
  const noun = Array.isArray(value) ? "item" : "member";
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Whether a branch is open at first: the outer two levels, as long as they are short. */
export function opensAtFirst(value: JsonValue, depth: number): boolean {
  const count = entriesOf(value).length;
  return depth === 0 ? count <= 200 : depth < 3 && count <= 12;
}

/** The text of a document, and its size in bytes of UTF-8. */
export function sizeOf(value: JsonValue): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${(count / 1000).toFixed(1)} KB` : `${(count / 1e6).toFixed(1)} MB`;
}
