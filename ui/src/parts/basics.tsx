// The smallest parts: statuses, moments, ids, buttons.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { tell } from "../live/notices.ts";
import { useNow } from "../live/use_now.ts";
import { exact, relative, staysFor } from "../pure/time.ts";

/** A job's status, by word and colour. */
export function Status({ status, asked = false }: { status: string; asked?: boolean }) {
  return (
    <span class={`status status-${status}`}>
      <span class="dot" aria-hidden="true" />
      {status}
      {asked && status === "running" ? <span class="muted"> · stopping</span> : null}
    </span>
  );
}

/** A moment, relative to now; the exact one is its title and what a screen reader's user can ask for. */
export function Moment({ at }: { at: string | null | undefined }) {
  const [now, setNow] = useState(Date.now);
  const moment = at ? Date.parse(at) : 0;
  useEffect(() => {
    if (!moment) return;
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, staysFor(moment, Date.now()));
    return () => clearInterval(timer);
  }, [moment]);
  if (!at) return <span class="muted">–</span>;
  const seen = Math.max(now, Math.min(Date.now(), now + 60_000));
  return (
    <time dateTime={at} title={exact(moment)}>
      {relative(moment, seen)}
    </time>
  );
}

/** The time since a moment, running. */
export function Since({ at, text }: { at: string; text: (milliseconds: number) => string }) {
  const now = useNow(1000);
  return <span title={exact(Date.parse(at))}>{text(Math.max(0, now - Date.parse(at)))}</span>;
}

/** An id, shortened in lists, with a button that copies the whole. */
export function Id({ id, short = false, link }: { id: string; short?: boolean; link?: string }) {
  const text = short ? id.slice(0, 8) : id;
  return (
    <span class="id">
      {link ? (
        <a href={link} title={id}>
          {text}
        </a>
      ) : (
        <span title={id}>{text}</span>
      )}
      <Copy text={id} what={`id ${id}`} />
    </span>
  );
}

export function Copy({ text, what }: { text: string; what: string }) {
  const copy = async (event: Event) => {
    event.preventDefault();
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(text);
      tell("Copied.");
    } catch {
      tell("This browser does not permit copying here.", "failed");
    }
  };
  return (
    <button type="button" class="copy" aria-label={`Copy ${what}`} title="Copy" onClick={copy}>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
        <path d="M5.5 5.5V3A1 1 0 0 1 6.5 2H13a1 1 0 0 1 1 1v6.5a1 1 0 0 1-1 1h-2.5M3 5.5h6.5a1 1 0 0 1 1 1V13a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V6.5a1 1 0 0 1 1-1z" />
      </svg>
    </button>
  );
}

interface ButtonProps {
  children: ComponentChildren;
  onClick?: () => void;
  kind?: "primary" | "danger" | "plain";
  disabled?: boolean;
  submit?: boolean;
  label?: string;
}

export function Button({ children, onClick, kind = "plain", disabled = false, submit = false, label }: ButtonProps) {
  return (
    <button type={submit ? "submit" : "button"} class={`button button-${kind}`} disabled={disabled} aria-label={label} onClick={onClick}>
      {children}
    </button>
  );
}

/** A name that may be long: it is cut where there is no room, and whole in its title. */
export function Name({ text, link }: { text: string; link?: string }) {
  return link ? (
    <a class="name" href={link} title={text}>
      {text}
    </a>
  ) : (
    <span class="name" title={text}>
      {text}
    </span>
  );
}

/** A list of names and values. */
export function Facts({ facts }: { facts: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
