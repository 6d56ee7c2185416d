// A JSON document as a tree that opens and closes; a large one is drawn in portions.

import { useState } from "preact/hooks";
import type { JsonValue } from "../../generated/schema.ts";
import { bytes, entriesOf, kindOf, opensAtFirst, SHOWN_AT_ONCE, SHOWN_OF_TEXT, sizeOf, summary } from "../pure/json.ts";
import { Copy } from "./basics.tsx";

export function Document({ title, value }: { title: string; value: JsonValue }) {
  return (
    <section class="panel" aria-label={title}>
      <div class="panel-head">
        <h2>
          {title} <span class="muted small">{bytes(sizeOf(value))}</span>
        </h2>
        <Copy text={JSON.stringify(value, null, 2)} what={`${title} as JSON`} />
      </div>
      <div class="tree" tabIndex={0} role="region" aria-label={`${title} as a tree`}>
        <Node value={value} depth={0} />
      </div>
    </section>
  );
}

function Node({ name, value, depth }: { name?: string; value: JsonValue; depth: number }) {
  const kind = kindOf(value);
  const branch = (kind === "object" || kind === "array") && entriesOf(value).length > 0;
  if (branch) return <Branch {...(name === undefined ? {} : { name })} value={value} depth={depth} />;
  return (
    <div class="leaf">
      {name === undefined ? null : <span class="key">{name}</span>}
      <Leaf value={value} />
    </div>
  );
}

function Branch({ name, value, depth }: { name?: string; value: JsonValue; depth: number }) {
  const [open, setOpen] = useState(opensAtFirst(value, depth));
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  const entries = open ? entriesOf(value) : [];
  return (
    <div class="branch">
      <button type="button" class="twist" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="twist-mark" aria-hidden="true" />
        {name === undefined ? null : <span class="key">{name}</span>}
        <span class="muted">
          {Array.isArray(value) ? "[ ]" : "{ }"} {summary(value)}
        </span>
      </button>
      {open ? (
        <div class="twigs">
          {entries.slice(0, shown).map(([key, each]) => (
            <Node key={key} name={key} value={each} depth={depth + 1} />
          ))}
          {entries.length > shown ? (
            <button type="button" class="textual" onClick={() => setShown(shown + SHOWN_AT_ONCE)}>
              {Math.min(SHOWN_AT_ONCE, entries.length - shown)} more of {entries.length - shown}
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}

function Leaf({ value }: { value: JsonValue }) {
  const [whole, setWhole] = useState(false);
  const kind = kindOf(value);
  const text = kind === "string" ? JSON.stringify(value) : kind === "object" ? "{ }" : kind === "array" ? "[ ]" : String(value);
  const long = text.length > SHOWN_OF_TEXT;
  return (
    <span class={`value value-${kind}`}>
      {long && !whole ? `${text.slice(0, SHOWN_OF_TEXT)}…` : text}
      {long ? (
        <button type="button" class="textual" onClick={() => setWhole(!whole)}>
          {whole ? "less" : `all ${bytes(text.length)}`}
        </button>
      ) : null}
    </span>
  );
}
