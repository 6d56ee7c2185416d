// Writes generated/schema.ts, the types of every request and response, from docs/openapi.json.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  description?: string;
};
type Content = { content?: Record<string, { schema?: Schema }> };
type Operation = {
  parameters?: { name: string; in: string; schema?: Schema; required?: boolean }[];
  requestBody?: Content;
  responses: Record<string, Content>;
};
type Document = {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
};

const here = import.meta.dirname;
mkdirSync(`${here}/../generated`, { recursive: true });
const document: Document = JSON.parse(readFileSync(`${here}/../../docs/openapi.json`, "utf8"));

function typeOf(schema: Schema, indent: string): string {
  if (schema.$ref) return schema.$ref.replace("#/components/schemas/", "");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map((each) => typeOf(each, indent)))].join(" | ");
  if (schema.allOf) return schema.allOf.map((each) => typeOf(each, indent)).join(" & ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type }, indent)).join(" | ");
  switch (schema.type) {
    case "string":
    case "boolean":
    case "null":
      return schema.type;
    case "integer":
    case "number":
      return "number";
    case "array":
      return `Array<${schema.items ? typeOf(schema.items, indent) : "JsonValue"}>`;
    case "object":
      return objectType(schema, indent);
    default:
      return "JsonValue";
  }
}

function objectType(schema: Schema, indent: string): string {
  if (!schema.properties) {
    const extra = schema.additionalProperties;
    return `Record<string, ${typeof extra === "object" ? typeOf(extra, indent) : "JsonValue"}>`;
  }
  const required = new Set(schema.required);
  const members = Object.entries(schema.properties).map(([name, each]) => {
    const told = each.description ? `${indent}  /** ${each.description.replaceAll("*/", "* /")} */\n` : "";
    return `${told}${indent}  ${JSON.stringify(name)}${required.has(name) ? "" : "?"}: ${typeOf(each, `${indent}  `)};`;
  });
  return members.length ? `{\n${members.join("\n")}\n${indent}}` : "Record<string, never>";
}

function parameters(operation: Operation, place: string): string {
  const named = (operation.parameters ?? []).filter((each) => each.in === place);
  const members = named.map(({ name, required, schema }) => {
    const type = typeOf(schema ?? {}, "").replace(/ \| null$/, "");
    return `${JSON.stringify(name)}${required ? "" : "?"}: ${type}`;
  });
  return members.length ? `{ ${members.join("; ")} }` : "undefined";
}

function bodyOf(content: Content | undefined): string {
  const schema = content?.content?.["application/json"]?.schema;
  return schema ? typeOf(schema, "    ") : "undefined";
}

function operationType(method: string, path: string, operation: Operation): string {
  const good = Object.keys(operation.responses).find((status) => status.startsWith("2")) ?? "";
  return [
    `  "${method.toUpperCase()} ${path}": {`,
    `    path: ${parameters(operation, "path")};`,
    `    query: ${parameters(operation, "query")};`,
    `    body: ${bodyOf(operation.requestBody)};`,
    `    response: ${bodyOf(operation.responses[good])};`,
    "  };",
  ].join("\n");
}

const models = Object.entries(document.components.schemas)
  .filter(([name]) => name !== "JsonValue")
  .map(([name, schema]) => `export type ${name} = ${typeOf(schema, "")};`);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => operationType(method, path, operation)),
);
const json = "export type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };";
const text = [
  "// Written by scripts/types.ts from docs/openapi.json.",
  json,
  ...models,
  `export interface Operations {\n${operations.join("\n")}\n}`,
].join("\n\n");
writeFileSync(`${here}/../generated/schema.ts`, `${text}\n`);
