import assert from "node:assert/strict";
import { test } from "node:test";
import { failuresOf } from "../src/pure/attempts.ts";

const HISTORY = [
  { at: "1", code: null },
  { at: "2", code: "KeyError" },
  { at: "3" },
  { at: "4", code: "timeout" },
];

test("failed attempts are those with an error, the latest first", () => {
  assert.deepEqual(failuresOf(HISTORY, null).map((each) => each.at), ["4", "2"]);
});

test("the one that is shown in full is not repeated", () => {
  assert.deepEqual(failuresOf(HISTORY, { at: "4" }).map((each) => each.at), ["2"]);
});
