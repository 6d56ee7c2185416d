import { useEffect, useRef, useState } from "preact/hooks";
import { steady } from "../pure/steady.ts";

const SCROLLED = 160;

/** Holds newer items back while the page is scrolled down, or while `held`; `show` lets them in. */
export function useSteady<T>(items: T[] | undefined, identity: (item: T) => string, held: boolean): { shown: T[] | undefined; newer: number; show: () => void } {
  const [scrolled, setScrolled] = useState(false);
  const [, redraw] = useState(0);
  const known = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const moved = () => setScrolled(window.scrollY > SCROLLED);
    window.addEventListener("scroll", moved, { passive: true });
    return () => window.removeEventListener("scroll", moved);
  }, []);
  if (!items) return { shown: undefined, newer: 0, show: () => undefined };
  const found = held || scrolled ? steady(items, identity, known.current) : { shown: items, newer: 0 };
  known.current = new Set(found.shown.map(identity));
  const show = () => {
    known.current = new Set();
    window.scrollTo({ top: 0 });
    setScrolled(false);
    redraw((count) => count + 1);
  };
  return { ...found, show };
}
