// How long until a screen asks again. Asking costs reads, so what nobody looks at, and what does not change, is asked less.

export interface Watching {
  /** Answers in succession that were as the one before. */
  unchanged: number;
  /** Failed requests in succession. */
  failures: number;
  /** Polls in succession while the tab was hidden. */
  hidden: number;
  /** The shortest pause, in milliseconds. */
  base: number;
}

const LONGEST = 15_000;
const LONGEST_AFTER_FAILURES = 30_000;
const FIRST_WHILE_HIDDEN = 30_000;
const POLLS_WHILE_HIDDEN = 5;

/** Milliseconds until the next request; null asks no more until the tab is seen again. */
export function nextPause({ unchanged, failures, hidden, base }: Watching): number | null {
  if (hidden > POLLS_WHILE_HIDDEN) return null;
  if (hidden) return FIRST_WHILE_HIDDEN * 2 ** (hidden - 1);
  if (failures) return Math.min(base * 2 ** failures, LONGEST_AFTER_FAILURES);
  return Math.min(base * 1.4 ** Math.max(0, unchanged - 3), Math.max(base, LONGEST));
}
