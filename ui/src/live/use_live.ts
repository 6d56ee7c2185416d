// Reads something from the API, keeps it fresh while somebody looks, and keeps what was last seen for the way back.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Unreachable } from "../api/client.ts";
import { nextPause } from "../pure/polling.ts";
import { forgetKnown } from "./known.ts";

export interface Live<T> {
  data: T | undefined;
  error: Error | undefined;
  /** When `data` was read. */
  at: number;
  loading: boolean;
  refresh: () => void;
  /** Show something else at once; the next answer replaces it. */
  replace: (change: (before: T) => T) => void;
}

interface Kept {
  data: unknown;
  text: string;
  at: number;
}

const MOST_KEPT = 60;
const kept = new Map<string, Kept>();

function keep(key: string, data: unknown): Kept {
  const found = { data, text: JSON.stringify(data) ?? "", at: Date.now() };
  kept.delete(key);
  kept.set(key, found);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value ?? "");
  return found;
}

export function forgetEverything(): void {
  kept.clear();
  forgetKnown();
}

/** `every` is the shortest pause between two reads in milliseconds; 0 reads once. `stops` says what needs no more. */
export function useLive<T>(
  key: string,
  read: (signal: AbortSignal) => Promise<T>,
  every = 0,
  stops: (data: T) => boolean = () => false,
): Live<T> {
  const [, redraw] = useState(0);
  const [failed, setFailed] = useState<{ key: string; error: Error } | undefined>();
  const again = useRef<() => void>(() => undefined);
  const latest = useRef({ read, stops });
  latest.current = { read, stops };

  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let counts = { unchanged: 0, failures: 0, base: every };
    let busy = false;
    let wanted = false;

    const later = () => {
      const found = kept.get(key);
      if (!every || (found && !counts.failures && latest.current.stops(found.data as T))) return;
      const pause = nextPause({ ...counts, hidden: document.hidden });
      if (pause !== null) timer = setTimeout(once, pause);
    };
    const once = async () => {
      clearTimeout(timer);
      if (busy) {
        wanted = true;
        return;
      }
      busy = true;
      try {
        const data = await latest.current.read(controller.signal);
        const same = kept.get(key)?.text === JSON.stringify(data);
        keep(key, data);
        counts = { ...counts, failures: 0, unchanged: same ? counts.unchanged + 1 : 0 };
        setFailed(undefined);
        redraw((count) => count + 1);
      } catch (error) {
        if (controller.signal.aborted) return;
        counts = { ...counts, failures: error instanceof Unreachable ? counts.failures + 1 : 5 };
        setFailed({ key, error: error instanceof Error ? error : new Error(String(error)) });
      } finally {
        busy = false;
      }
      if (wanted) {
        wanted = false;
        void once();
      } else later();
    };
    const seen = () => {
      if (document.hidden) return clearTimeout(timer);
      if (!every) return;
      counts = { ...counts, unchanged: 0, failures: 0 };
      void once();
    };
    again.current = () => {
      counts = { ...counts, unchanged: 0 };
      void once();
    };
    void once();
    document.addEventListener("visibilitychange", seen);
    window.addEventListener("online", seen);
    return () => {
      controller.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
      window.removeEventListener("online", seen);
    };
  }, [key, every]);

  const refresh = useCallback(() => again.current(), []);
  const replace = useCallback(
    (change: (before: T) => T) => {
      const found = kept.get(key);
      if (found) keep(key, change(found.data as T));
      redraw((count) => count + 1);
    },
    [key],
  );
  const found = kept.get(key);
  const error = failed?.key === key ? failed.error : undefined;
  return { data: found?.data as T | undefined, error, at: found?.at ?? 0, loading: !found && !error, refresh, replace };
}
