// Several values of one kind: each can be taken away again, and the next is completed while it is typed.

import { useId, useState } from "preact/hooks";

interface Props {
  label: string;
  values: readonly string[];
  /** What exists, as far as it is known; other values may be typed too. */
  options: readonly string[];
  onAdd: (text: string) => void;
  onRemove: (value: string) => void;
  flawed?: (text: string) => boolean;
  placeholder?: string;
  /** What the field says after a value: whether a job needs one of them, or all. */
  next?: string;
  /** Whether the key `/` leads here. */
  first?: boolean;
}

const MOST = 20;
const LONGEST = 321;

export function Tokens({ label, values, options, onAdd, onRemove, flawed = () => false, placeholder = "any", next = "or…", first = false }: Props) {
  const [text, setText] = useState("");
  const id = useId();
  const wrong = text !== "" && flawed(text);
  const changed = (given: string) => {
    const value = given.trim();
    if (!value || flawed(value)) return;
    setText("");
    if (!values.includes(value)) onAdd(value);
  };
  return (
    <div class="inline grow tokens">
      <label for={id}>{label}</label>
      <div class="token-box">
        {values.map((value) => (
          <span key={value} class="token">
            <span class="cut" title={value}>
              {value}
            </span>
            <button type="button" class="copy close" aria-label={`Without ${value}`} onClick={() => onRemove(value)}>
              ×
            </button>
          </span>
        ))}
        <input
          id={id}
          {...(first ? { "data-filter": true } : {})}
          list={`${id}-list`}
          placeholder={values.length ? next : placeholder}
          value={text}
          maxLength={LONGEST}
          disabled={values.length >= MOST}
          spellcheck={false}
          autocomplete="off"
          aria-invalid={wrong}
          onInput={(event) => setText(event.currentTarget.value)}
          onChange={(event) => changed(event.currentTarget.value)}
          onKeyDown={(event) => {
            const last = values.at(-1);
            if (event.key === "Backspace" && !text && last !== undefined) onRemove(last);
          }}
        />
        <datalist id={`${id}-list`}>
          {options
            .filter((each) => !values.includes(each))
            .map((each) => (
              <option key={each} value={each} />
            ))}
        </datalist>
      </div>
    </div>
  );
}
