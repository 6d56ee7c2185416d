import assert from "node:assert/strict";
import { test } from "node:test";
import { cleared, criteriaOf, isFiltered, parametersOf, queryOf, rareOf } from "../src/pure/criteria.ts";
import { pressed, sortedBy } from "../src/pure/sorting.ts";
import { localOf, momentOf } from "../src/pure/time.ts";

test("criteria are the same after a way through the address", () => {
  const query = {
    status: "failed,queued", type: "a,b", owner: "*", tag: "x=1, 2\ny=3", lane: "press, left\noven", priority: "9,0", attempts: "2",
    from: "2026-11-27T14:04:00.000Z", to: "2026-11-28T14:04:00.000Z", code: "boom", reverse: "1", payloads: "1",
  };
  assert.deepEqual(queryOf(criteriaOf(query)), query);
  assert.deepEqual(criteriaOf(query).tag, ["x=1, 2", "y=3"]);
  assert.equal(rareOf(criteriaOf(query)), 6);
  const asked = parametersOf(criteriaOf(query));
  assert.deepEqual(asked.priority, [9, 0]);
  assert.deepEqual([asked.min_attempt, asked.include, asked.reverse], [2, "preview", true]);
});

test("nothing chosen asks for nothing", () => {
  assert.deepEqual(parametersOf(criteriaOf({})), {});
  assert.deepEqual(parametersOf(criteriaOf({ attempts: "many" })), {});
});

test("owner, order and payloads choose no jobs", () => {
  const shown = criteriaOf({ owner: "*", reverse: "1", payloads: "1" });
  assert.equal(isFiltered(shown), false);
  assert.equal(isFiltered({ ...shown, lane: ["x"] }), true);
  assert.deepEqual(cleared({ ...shown, lane: ["x"], from: "now" }), shown);
});

test("a column sorts up, down, and not at all", () => {
  const up = pressed(undefined, "took");
  assert.deepEqual(up, { by: "took", down: false });
  assert.deepEqual(pressed(up, "took"), { by: "took", down: true });
  assert.equal(pressed({ by: "took", down: true }, "took"), undefined);
  assert.deepEqual(pressed(up, "type"), { by: "type", down: false });
});

test("what is shown is sorted, and equals keep their order", () => {
  const job = (type: string, attempt: number, created_at: string, more: object = {}) => ({ type, attempt, created_at, status: "queued", started_at: null, finished_at: null, ...more });
  const jobs = [job("b", 2, "2026-11-27T14:00:00Z"), job("a", 10, "2026-11-27T13:00:00Z"), job("b", 1, "2026-11-27T12:00:00Z")];
  const order = (by: Parameters<typeof pressed>[1], down = false) => sortedBy(jobs as never[], { by, down }, Date.parse("2026-11-27T15:00:00Z")).map((each) => jobs.indexOf(each));
  assert.deepEqual(order("type"), [1, 0, 2]);
  assert.deepEqual(order("attempt"), [2, 0, 1]);
  assert.deepEqual(order("attempt", true), [1, 0, 2]);
  assert.deepEqual(order("created"), [2, 1, 0]);
  assert.deepEqual(order("took"), [0, 1, 2]);
  assert.deepEqual(order("status"), [0, 1, 2]);
});

test("a field of local time and a moment mean the same", () => {
  assert.equal(momentOf(localOf("2026-11-27T14:04:05Z")), "2026-11-27T14:04:00.000Z");
  assert.equal(localOf(""), "");
  assert.equal(momentOf("soon"), "");
});
