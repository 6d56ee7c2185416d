// How long until a screen asks again. Asking costs reads, so what does not change is asked less, and what nobody looks at not at all.

export interface Watching {
  /** Answers in succession that were as the one before. */
  unchanged: number;
  /** Failed requests in succession. */
  failures: number;
  /** Whether nobody sees the tab. */
  hidden: boolean;
  /** The shortest pause, in milliseconds. */
  base: number;
}

const LONGEST = 15_000;
const LONGEST_AFTER_FAILURES = 30_000;

/** Milliseconds until the next request; null: not before the tab is seen again. */
export function nextPause({ unchanged, failures, hidden, base }: Watching): number | null {
  if (hidden) return null;
  if (failures) return Math.min(base * 2 ** failures, LONGEST_AFTER_FAILURES);
  return Math.min(base * 1.4 ** Math.max(0, unchanged - 3), Math.max(base, LONGEST));
}
