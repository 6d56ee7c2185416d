// A form made of a JSON Schema, or an editor for the whole document.

import { useMemo, useState } from "preact/hooks";
import type { JsonValue } from "../../generated/schema.ts";
import { documentOf, fieldsOf, parsed, type Field as SchemaField, type Schema } from "../pure/schema.ts";
import { Choice, Field } from "./frame.tsx";

export interface Filled {
  /** What the fields say; undefined as long as they do not fit. */
  document: JsonValue | undefined;
}

interface Props {
  schema: Schema;
  /** Flaws that the API found, by JSON pointer below the payload. */
  flaws: Record<string, string>;
  /** Whether flaws of the fields themselves are shown: only after a try. */
  tried: boolean;
  onChange: (document: JsonValue | undefined) => void;
}

export function SchemaForm({ schema, flaws, tried, onChange }: Props) {
  const fields = useMemo(() => fieldsOf(schema), [schema]);
  const [values, setValues] = useState<Record<string, string>>(() => Object.fromEntries((fields ?? []).map((each) => [each.name, each.initial])));
  const [text, setText] = useState("{}");
  const [asJson, setAsJson] = useState(fields === null);
  const found = fields ? documentOf(fields, values) : { document: {} };
  const own = tried && "flaws" in found ? found.flaws : {};

  const set = (name: string, value: string) => {
    const next = { ...values, [name]: value };
    setValues(next);
    const read = fields ? documentOf(fields, next) : { document: {} };
    onChange("document" in read ? read.document : undefined);
  };
  const write = (next: string) => {
    setText(next);
    const read = parsed(next);
    onChange("value" in read ? read.value : undefined);
  };
  const change = (next: "form" | "json") => {
    setAsJson(next === "json");
    if (next === "json") write("document" in found ? JSON.stringify(found.document, null, 2) : text);
    else onChange("document" in found ? found.document : undefined);
  };
  const flawOfText = parsed(text);
  return (
    <>
      {fields ? (
        <div class="field-wide">
          <Choice
            label="How to write the payload"
            value={asJson ? "json" : "form"}
            options={[
              ["form", "Form"],
              ["json", "JSON"],
            ]}
            onChange={change}
          />
        </div>
      ) : null}
      {asJson || !fields ? (
        <Field label="Payload as JSON" wide flaw={"flaw" in flawOfText && tried ? flawOfText.flaw : joined(flaws)}>
          {(attributes) => <textarea {...attributes} rows={10} spellcheck={false} value={text} onInput={(event) => write(event.currentTarget.value)} />}
        </Field>
      ) : (
        fields.map((field) => (
          <OneField key={field.name} field={field} value={values[field.name] ?? ""} flaw={own[field.name] ?? flaws[`/${field.name}`]} onChange={(value) => set(field.name, value)} />
        ))
      )}
      {!asJson && fields?.length === 0 ? <p class="muted field-wide">It takes no payload.</p> : null}
    </>
  );
}

function OneField({ field, value, flaw, onChange }: { field: SchemaField; value: string; flaw: string | undefined; onChange: (value: string) => void }) {
  const wide = field.kind === "long" || field.kind === "json";
  return (
    <Field label={field.name} hint={field.description} flaw={flaw} wide={wide} optional={!field.required}>
      {(attributes) => {
        const common = { ...attributes, required: false, value };
        switch (field.kind) {
          case "boolean":
            return (
              <select {...common} onChange={(event) => onChange(event.currentTarget.value)}>
                <option value="">as by default</option>
                <option value="true">true</option>
                <option value="false">false</option>
              </select>
            );
          case "choice":
            return (
              <select {...common} onChange={(event) => onChange(event.currentTarget.value)}>
                {field.initial ? null : <option value="" />}
                {field.choices.map((each) => (
                  <option key={each}>{each}</option>
                ))}
              </select>
            );
          case "long":
          case "json":
            return <textarea {...common} rows={field.kind === "long" ? 5 : 3} spellcheck={false} placeholder={field.kind === "json" ? "JSON" : ""} onInput={(event) => onChange(event.currentTarget.value)} />;
          default:
            return <input {...common} inputMode={field.kind === "text" ? "text" : "decimal"} autocomplete="off" onInput={(event) => onChange(event.currentTarget.value)} />;
        }
      }}
    </Field>
  );
}

function joined(flaws: Record<string, string>): string | undefined {
  const found = Object.entries(flaws).map(([pointer, detail]) => `${pointer || "the payload"}: ${detail}`);
  return found.length ? found.join("; ") : undefined;
}
