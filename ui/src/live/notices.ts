// Short messages about what an action did, at the bottom of the page and in a screen reader's voice.

export interface Notice {
  id: number;
  kind: "done" | "failed";
  text: string;
}

const STAYS = 6000;
let notices: Notice[] = [];
let last = 0;
const listeners = new Set<() => void>();

export function currentNotices(): Notice[] {
  return notices;
}

export function onNotices(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tell(text: string, kind: Notice["kind"] = "done"): void {
  last += 1;
  const id = last;
  set([...notices.slice(-3), { id, kind, text }]);
  setTimeout(() => dismiss(id), kind === "failed" ? 2 * STAYS : STAYS);
}

export function dismiss(id: number): void {
  set(notices.filter((each) => each.id !== id));
}

/** Carry out an action; what went wrong is told, and `undo` puts the screen back as it was. */
export async function attempt<T>(action: () => Promise<T>, done: string | ((result: T) => string), undo?: () => void): Promise<T | undefined> {
  try {
    const result = await action();
    const text = typeof done === "string" ? done : done(result);
    if (text) tell(text);
    return result;
  } catch (error) {
    undo?.();
    tell(error instanceof Error ? error.message : String(error), "failed");
    return undefined;
  }
}

function set(next: Notice[]): void {
  notices = next;
  for (const listener of listeners) listener();
}
