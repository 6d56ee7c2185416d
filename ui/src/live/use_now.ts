import { useEffect, useState } from "preact/hooks";

/** The time, again every `every` milliseconds while the tab is seen. */
export function useNow(every: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** Draws a component again whenever a store changes. */
export function useStore<T>(read: () => T, subscribe: (listener: () => void) => () => void): T {
  const [value, setValue] = useState(read);
  useEffect(() => subscribe(() => setValue(read)), []);
  return value;
}
