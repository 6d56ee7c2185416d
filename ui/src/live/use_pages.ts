// A list by cursor: its first page is live, and the older ones are fetched when somebody asks for them.

import { useEffect, useState } from "preact/hooks";
import { useLive, type Live } from "./use_live.ts";

export interface Page<T> {
  items: T[];
  next?: string | null;
}

export interface Pages<T> extends Omit<Live<Page<T>>, "data"> {
  items: T[] | undefined;
  more: (() => void) | undefined;
  fetching: boolean;
}

interface Older<T> {
  key: string;
  items: T[];
  next: string | null;
  error?: Error | undefined;
}

/** `identity` names an item: one that has moved from the first page to an older one is shown once. */
export function usePages<T>(
  key: string,
  read: (cursor: string | undefined, signal?: AbortSignal) => Promise<Page<T>>,
  identity: (item: T) => string,
  every = 0,
): Pages<T> {
  const { data, ...first } = useLive(key, (signal) => read(undefined, signal), every);
  const [older, setOlder] = useState<Older<T> | undefined>();
  const [fetching, setFetching] = useState(false);
  useEffect(() => setOlder(undefined), [key]);
  const mine = older?.key === key ? older : undefined;
  const next = mine ? mine.next : data?.next;
  const more = async () => {
    setFetching(true);
    try {
      const page = await read(next ?? undefined);
      // What the live first page has pushed out since is kept.
      const before = mine?.items ?? data?.items ?? [];
      setOlder({ key, items: [...before, ...page.items], next: page.next ?? null });
    } catch (error) {
      setOlder({ key, items: mine?.items ?? [], next: next ?? null, error: error as Error });
    } finally {
      setFetching(false);
    }
  };
  const newest = data?.items ?? [];
  const fresh = new Set(newest.map(identity));
  const rest = (mine?.items ?? []).filter((item) => !fresh.has(identity(item)));
  return {
    ...first,
    error: first.error ?? mine?.error,
    items: data ? [...newest, ...rest] : undefined,
    more: next ? () => void more() : undefined,
    fetching,
  };
}
