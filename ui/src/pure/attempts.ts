// The attempts of a job that failed, as its history has them.

interface Entry {
  at: string;
  code?: string | null;
}

/** The entries of failed attempts, the latest first, without the one that `shown` is of. */
export function failuresOf<T extends Entry>(history: T[], shown: { at: string } | null): T[] {
  return history.filter((entry) => entry.code && entry.at !== shown?.at).toReversed();
}
