// Panels, the head of a screen, dialogs and the fields of forms.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Button } from "./basics.tsx";

export function Screen({ title, sub, actions, children }: { title: ComponentChildren; sub?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren }) {
  return (
    <>
      <header class="head">
        <div class="head-text">
          <h1 tabIndex={-1}>{title}</h1>
          {sub ? <div class="head-sub">{sub}</div> : null}
        </div>
        {actions ? <div class="actions">{actions}</div> : null}
      </header>
      {children}
    </>
  );
}

export function Panel({ title, actions, children, flush = false }: { title?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren; flush?: boolean }) {
  return (
    <section class={`panel ${flush ? "panel-flush" : ""}`}>
      {title || actions ? (
        <div class="panel-head">
          {title ? <h2>{title}</h2> : null}
          {actions ? <div class="actions">{actions}</div> : null}
        </div>
      ) : null}
      {children}
    </section>
  );
}

/** A dialog above the page; Escape and a click beside it close it. */
export function Dialog({ title, children, onClose }: { title: string; children: ComponentChildren; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div class="dialog">
        <div class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="copy close" aria-label="Close the dialog" onClick={() => dialog.current?.close()}>
            ×
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  children: ComponentChildren;
  verb: string;
  danger?: boolean;
  disabled?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ title, children, verb, danger = false, disabled = false, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="dialog-body">{children}</div>
      <div class="dialog-foot">
        <Button onClick={onClose}>Back</Button>
        <Button kind={danger ? "danger" : "primary"} disabled={disabled} onClick={onConfirm}>
          {verb}
        </Button>
      </div>
    </Dialog>
  );
}

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  flaw?: string | undefined;
  wide?: boolean;
  optional?: boolean;
  children: (attributes: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ComponentChildren;
}

export function Field({ label, hint, flaw, wide = false, optional = false, children }: FieldProps) {
  const id = useId();
  return (
    <div class={`field ${wide ? "field-wide" : ""}`}>
      <label for={id}>
        {label}
        {optional ? <span class="muted small"> optional</span> : null}
      </label>
      {children({ id, "aria-describedby": `${id}-hint`, "aria-invalid": Boolean(flaw) })}
      <p id={`${id}-hint`} class={flaw ? "flaw" : "hint"}>
        {flaw ?? hint}
      </p>
    </div>
  );
}

/** One choice of a few, side by side. */
export function Choice<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void }) {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend class="unseen">{label}</legend>
      {options.map(([each, text]) => (
        <label key={each} class={each === value ? "chosen" : ""}>
          <input type="radio" name={name} class="unseen" checked={each === value} onChange={() => onChange(each)} />
          {text}
        </label>
      ))}
    </fieldset>
  );
}

export function More({ pages, noun }: { pages: { more: (() => void) | undefined; fetching: boolean }; noun: string }) {
  if (!pages.more) return null;
  return (
    <div class="more">
      <Button onClick={pages.more} disabled={pages.fetching}>
        {pages.fetching ? "Loading…" : `More ${noun}`}
      </Button>
    </div>
  );
}
