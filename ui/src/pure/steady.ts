// A list that somebody reads must not move below their eyes: what is newer than what is shown is held back and counted.

/** The items to show, and how many newer ones are held back; `known` are the ids shown before. */
export function steady<T>(items: T[], identity: (item: T) => string, known: ReadonlySet<string>): { shown: T[]; newer: number } {
  const first = items.findIndex((item) => known.has(identity(item)));
  return first <= 0 ? { shown: items, newer: 0 } : { shown: items.slice(first), newer: first };
}
