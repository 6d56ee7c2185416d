// What a job cost in its AWS account, by list prices of us-east-1 and the formulas of docs/cost.md.

import type { Span } from "./timeline.ts";

const MILLION = 1e6;
const WRITE_UNIT = 0.625 / MILLION;
const READ_UNIT = 0.125 / MILLION;
const REQUEST = 0.2 / MILLION;
const GB_SECOND = 0.0000133334;
const HTTP_REQUEST = 1 / MILLION;
const QUEUE_REQUEST = 0.4 / MILLION;
const LOGGED_KB = 0.5 / MILLION;
const API_SECONDS = 0.02;
const API_GB = 0.5;
const WORKER_GB = 1;
const OVERHEAD_SECONDS = 0.05;
const LOG_KB = 2.9;

export interface CostPart {
  name: string;
  how: string;
  dollars: number;
}

/** Each part of what the job has cost so far; what its handler calls elsewhere is not known here. */
export function costOf(spans: Span[], payloadBytes: number, inLane: boolean): CostPart[] {
  const attempts = spans.filter((span) => span.kind === "running");
  const delays = spans.filter((span) => span.status === "scheduled" || span.kind === "between").length;
  const retries = Math.max(0, attempts.length - 1);
  const seconds = attempts.reduce((sum, span) => sum + (span.to - span.from) / 1000, 0);
  const extra = Math.min(8, Math.max(0, Math.ceil(payloadBytes / 1024) - 1));
  const writes = 3 + (attempts.length ? 3 : 0) + retries * 4 + extra * (1 + 2 * attempts.length) + (inLane ? 6 : 0);
  const reads = 0.5 + delays + (inLane ? 3 : 0);
  const run = attempts.length * (REQUEST + OVERHEAD_SECONDS * WORKER_GB * GB_SECOND) + seconds * WORKER_GB * GB_SECOND;
  const parts = [
    { name: "Submission", how: "1 HTTP request, 20 ms of the API at 0.5 GB", dollars: HTTP_REQUEST + REQUEST + API_SECONDS * API_GB * GB_SECOND },
    { name: "Database", how: `${writes} write and ${reads} read units`, dollars: writes * WRITE_UNIT + reads * READ_UNIT },
    { name: "Running", how: `${attempts.length} ${attempts.length === 1 ? "invocation" : "invocations"}, ${seconds.toFixed(2)} s at ${WORKER_GB} GB`, dollars: run },
    { name: "Waiting", how: `${delays * 3} queue requests, ${delays} of the recorder`, dollars: delays * (3 * QUEUE_REQUEST + REQUEST + 0.03 * API_GB * GB_SECOND) },
    { name: "Logs", how: `${LOG_KB} KB an attempt`, dollars: attempts.length * LOG_KB * LOGGED_KB },
  ];
  return parts.filter((part) => part.dollars > 0);
}

export function total(parts: CostPart[]): number {
  return parts.reduce((sum, part) => sum + part.dollars, 0);
}

/** Dollars with two digits that count, however few: `$0.0000075`, `$0.012`, `$3.40`. */
export function dollars(amount: number): string {
  if (amount === 0) return "$0";
  if (amount >= 1) return `$${amount.toFixed(2)}`;
  const digits = Math.min(12, 1 - Math.floor(Math.log10(amount)));
  return `$${amount.toFixed(digits)}`;
}
