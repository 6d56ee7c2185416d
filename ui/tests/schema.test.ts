import assert from "node:assert/strict";
import { test } from "node:test";
import { documentOf, fieldsOf, type Schema } from "../src/pure/schema.ts";

const SCHEMA: Schema = {
  type: "object",
  required: ["id", "size", "note"],
  properties: {
    id: { type: "string", description: "Whose" },
    size: { type: "integer" },
    grain: { $ref: "#/$defs/Grain", default: "rye" },
    express: { type: "boolean", default: false },
    note: { anyOf: [{ type: "string" }, { type: "null" }] },
    ratio: { type: "number" },
    prices: { type: "object", additionalProperties: { type: "number" } },
    body: { type: "string" },
  },
  $defs: { Grain: { type: "string", enum: ["rye", "oats"] } },
};
const fields = fieldsOf(SCHEMA) ?? [];

test("each member has a field of its kind", () => {
  assert.deepEqual(fields.map((field) => [field.name, field.kind]), [
    ["id", "text"], ["size", "integer"], ["grain", "choice"], ["express", "boolean"], ["note", "text"], ["ratio", "number"], ["prices", "json"], ["body", "long"],
  ]);
  assert.deepEqual(fields.filter((field) => field.required).map((field) => field.name), ["id", "size", "note"]);
  assert.equal(fields[2]?.initial, "rye");
});

test("filled fields make a document of the right types", () => {
  const made = documentOf(fields, { id: "7", size: "3", grain: "oats", express: "true", ratio: "0.5", prices: '{"rye": 2}' });
  assert.deepEqual(made, { document: { id: "7", size: 3, grain: "oats", express: true, note: null, ratio: 0.5, prices: { rye: 2 } } });
});

test("empty fields are left out or null, and said to be missing where they are required", () => {
  assert.deepEqual(documentOf(fields, { id: "7", size: "1" }), { document: { id: "7", size: 1, note: null } });
  assert.deepEqual(documentOf(fields, {}), { flaws: { id: "is required", size: "is required" } });
});

test("what does not fit is said for each field", () => {
  const made = documentOf(fields, { id: "a", size: "1.5", ratio: "x", prices: "{" });
  assert.ok("flaws" in made);
  assert.equal(made.flaws.size, "is not a whole number");
  assert.equal(made.flaws.ratio, "is not a number");
  assert.match(made.flaws.prices ?? "", /is not JSON/);
});

test("a schema that is no object's has no form", () => {
  assert.equal(fieldsOf({ type: "array" }), null);
  assert.equal(fieldsOf({}), null);
  assert.deepEqual(fieldsOf({ type: "object", properties: {} }), []);
});

test("a reference in a circle ends", () => {
  const circle: Schema = { type: "object", properties: { a: { $ref: "#/$defs/A" } }, $defs: { A: { $ref: "#/$defs/A" } } };
  assert.equal(fieldsOf(circle)?.[0]?.kind, "json");
});
