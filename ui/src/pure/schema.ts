// A form for a JSON Schema: its fields, their first values, and the document that filled fields make.

import type { JsonValue } from "../../generated/schema.ts";

export type Schema = { [name: string]: JsonValue };

export type FieldKind = "text" | "long" | "number" | "integer" | "boolean" | "choice" | "json";

export interface Field {
  name: string;
  kind: FieldKind;
  required: boolean;
  /** Whether an empty field means null rather than no member. */
  nullable: boolean;
  title: string;
  description: string;
  choices: string[];
  /** How the default reads in the field. */
  initial: string;
}

const LONG = /csv|text|body|document|content|message|query|html|markdown|prompt/i;

/** The fields of an object's schema; null where a form would not do, so that the whole is edited as JSON. */
export function fieldsOf(schema: Schema): Field[] | null {
  const root = resolved(schema, schema);
  const properties = root.properties;
  if (root.type !== "object" || !isSchema(properties)) return null;
  const required = new Set(Array.isArray(root.required) ? root.required : []);
  return Object.entries(properties).map(([name, each]) => fieldOf(name, isSchema(each) ? each : {}, schema, required.has(name)));
}

function fieldOf(name: string, given: Schema, root: Schema, required: boolean): Field {
  const { schema, nullable } = withoutNull(resolved(given, root), root);
  const choices = Array.isArray(schema.enum) ? schema.enum.map((each) => text(each)) : [];
  const fallback = given.default ?? schema.default;
  const kind = choices.length ? "choice" : kindOf(schema, name);
  return {
    name,
    kind,
    required,
    nullable,
    title: typeof schema.title === "string" ? schema.title : name,
    description: text(given.description ?? schema.description ?? ""),
    choices,
    initial: fallback === undefined || fallback === null ? "" : kind === "json" ? JSON.stringify(fallback) : text(fallback),
  };
}

function kindOf(schema: Schema, name: string): FieldKind {
  switch (schema.type) {
    case "string":
      return LONG.test(name) && !schema.format ? "long" : "text";
    case "number":
    case "integer":
    case "boolean":
      return schema.type;
    default:
      return "json";
  }
}

function withoutNull(schema: Schema, root: Schema): { schema: Schema; nullable: boolean } {
  if (!Array.isArray(schema.anyOf)) return { schema, nullable: false };
  const choices = schema.anyOf.filter(isSchema);
  const others = choices.filter((each) => each.type !== "null");
  const only = others.length === 1 ? others[0] : undefined;
  return { schema: only ? resolved(only, root) : schema, nullable: others.length < choices.length };
}

function resolved(schema: Schema, root: Schema, depth = 0): Schema {
  if (typeof schema.$ref !== "string" || depth > 10) return schema;
  const found = schema.$ref
    .replace(/^#\//, "")
    .split("/")
    .reduce<JsonValue | undefined>((at, part) => (isSchema(at) ? at[part] : undefined), root);
  return isSchema(found) ? resolved(found, root, depth + 1) : {};
}

/** The document of the filled fields, or a sentence for each field that does not fit. */
export function documentOf(fields: Field[], values: Record<string, string>): { document: Schema } | { flaws: Record<string, string> } {
  const document: Schema = {};
  const flaws: Record<string, string> = {};
  for (const field of fields) {
    const value = values[field.name] ?? "";
    if (value === "") {
      if (field.required && field.nullable) document[field.name] = null;
      else if (field.required) flaws[field.name] = "is required";
      continue;
    }
    const read = valueOf(field, value);
    if (typeof read === "object" && read !== null && "flaw" in read && !("value" in read)) flaws[field.name] = String(read.flaw);
    else document[field.name] = (read as { value: JsonValue }).value;
  }
  return Object.keys(flaws).length ? { flaws } : { document };
}

function valueOf(field: Field, value: string): { value: JsonValue } | { flaw: string } {
  switch (field.kind) {
    case "boolean":
      return { value: value === "true" };
    case "number":
    case "integer": {
      const number = Number(value);
      const whole = field.kind === "integer" && !Number.isInteger(number);
      return Number.isFinite(number) && !whole ? { value: number } : { flaw: whole ? "is not a whole number" : "is not a number" };
    }
    case "json":
      return parsed(value);
    default:
      return { value };
  }
}

export function parsed(value: string): { value: JsonValue } | { flaw: string } {
  try {
    return { value: JSON.parse(value) as JsonValue };
  } catch (error) {
    return { flaw: `is not JSON: ${error instanceof Error ? error.message : ""}` };
  }
}

function isSchema(value: JsonValue | undefined): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
