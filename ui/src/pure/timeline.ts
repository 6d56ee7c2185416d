// A job's history as spans of time: what it waited for, when it ran, when it was between attempts.

export type SpanKind = "waiting" | "running" | "between";

export interface Span {
  status: string;
  kind: SpanKind;
  attempt: number;
  from: number;
  to: number;
  /** Whether it goes on: `to` is then the moment of looking. */
  open: boolean;
  /** The error that ended it. */
  code: string | null;
}

/** One line of the picture: the job itself, later each of its steps and children. */
export interface Track {
  name: string;
  spans: Span[];
}

export interface Entry {
  status: string;
  at: string;
  attempt: number;
  code?: string | null;
}

export const FINAL = new Set(["succeeded", "failed", "cancelled"]);

const KINDS: Record<string, SpanKind> = { running: "running", retrying: "between", succeeded: "waiting" };

/** The spans between a history's entries. A final entry begins none, except where a person retried the job later. */
export function spansOf(history: Entry[], now: number): Span[] {
  return history.flatMap((entry, index) => {
    if (FINAL.has(entry.status)) return [];
    const next = history[index + 1];
    const from = Date.parse(entry.at);
    return {
      status: entry.status,
      kind: KINDS[entry.status] ?? "waiting",
      attempt: entry.attempt,
      from,
      to: Math.max(from, next ? Date.parse(next.at) : now),
      open: !next,
      code: next?.code ?? null,
    };
  });
}

export interface Step {
  name: string;
  kind: string;
  attempt: number;
  began_at: string;
  ended_at: string | null;
  until?: string | null;
}

/** What stands for the end of a wait of the same name. */
const ENDS: Record<string, string[]> = { signal: ["received", "timed_out"] };
const WAITS: Record<string, string> = { time: "waiting", signal: "signal", children: "children" };

/** The steps, where each group of children ends with its results. */
export function withResults<T extends Step>(steps: T[]): T[] {
  const ends = new Map(steps.filter((step) => step.kind === "results").map((step) => [step.name, step.ended_at]));
  return steps.filter((step) => step.kind !== "results").map((step) => (step.kind === "children" ? { ...step, ended_at: ends.get(step.name) ?? step.ended_at } : step));
}

/** A track for each of a job's steps and waits, in the order in which they began; `now` is the job's end, if it has one. */
export function tracksOf(steps: Step[], now: number): Track[] {
  const isEnd = (step: Step) => steps.some((each) => each.name === step.name && ENDS[each.kind]?.includes(step.kind));
  return steps.filter((step) => !isEnd(step)).map((step) => {
    const from = Date.parse(step.began_at);
    const end = endOf(step, steps, now);
    const [status, kind]: [string, SpanKind] = step.kind === "step" ? ["running", "running"] : [WAITS[step.kind] ?? "waiting", "waiting"];
    return { name: step.name, spans: [{ status, kind, attempt: step.attempt, from, to: Math.max(from, end ?? now), open: end === null, code: null }] };
  });
}

function endOf(step: Step, steps: Step[], now: number): number | null {
  const end = steps.find((each) => each.name === step.name && ENDS[step.kind]?.includes(each.kind)) ?? step;
  if (end.ended_at) return Date.parse(end.ended_at);
  const until = step.kind === "time" && step.until ? Date.parse(step.until) : Infinity;
  return until <= now ? until : null;
}

export interface Placed extends Span {
  /** Percent of the whole. */
  left: number;
  width: number;
}

/** Where the spans are, to scale, between `from` and `to`. */
export function placed(spans: Span[], from: number, to: number): Placed[] {
  const whole = Math.max(1, to - from);
  return spans.map((span) => ({
    ...span,
    left: (100 * (span.from - from)) / whole,
    width: (100 * (span.to - span.from)) / whole,
  }));
}

/** Round marks on an axis of `length` milliseconds, `about` as many, as offsets from its beginning. */
export function marks(length: number, about: number): number[] {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5];
  const hours = [2, 3, 6, 12, 24, 48, 168, 336, 720, 1440, 4380, 8760].map((each) => each * 36e5);
  const step = [...steps, ...hours].find((each) => length / each <= about) ?? length;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step);
}

/** Milliseconds in each kind of span. */
export function totals(spans: Span[]): Record<SpanKind, number> {
  const found: Record<SpanKind, number> = { waiting: 0, running: 0, between: 0 };
  for (const span of spans) found[span.kind] += span.to - span.from;
  return found;
}
