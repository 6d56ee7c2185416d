import assert from "node:assert/strict";
import { test } from "node:test";
import { count, inTurns, planOf } from "../src/pure/bulk.ts";
import { expected, isId, lasting } from "../src/pure/job.ts";
import { bytes, opensAtFirst, sizeOf, summary } from "../src/pure/json.ts";
import { dollars } from "../src/pure/money.ts";
import { nextPause } from "../src/pure/polling.ts";
import { href, parseRoute } from "../src/pure/route.ts";
import { steady } from "../src/pure/steady.ts";
import { inWords, stacked } from "../src/pure/stack.ts";

test("an address is read as it was written", () => {
  const written = href(["lanes", "a/b?c ü"], { status: "failed", type: "", owner: "*" });
  assert.deepEqual(parseRoute(written), { path: ["lanes", "a/b?c ü"], query: { status: "failed", owner: "*" } });
  assert.deepEqual(parseRoute(""), { path: [], query: {} });
  assert.deepEqual(parseRoute("#/jobs/%"), { path: ["jobs", "%"], query: {} });
});

test("what does not change is asked for less and less, but never given up while it is seen", () => {
  const pauses = [0, 3, 6, 9, 30].map((unchanged) => nextPause({ unchanged, failures: 0, hidden: false, base: 2000 }));
  assert.equal(pauses[0], 2000);
  assert.ok(pauses.every((pause, index) => pause !== null && pause >= (pauses[index - 1] ?? 0) && pause <= 15_000));
});

test("a hidden tab asks for nothing", () => {
  assert.equal(nextPause({ unchanged: 0, failures: 0, hidden: true, base: 2000 }), null);
  assert.equal(nextPause({ unchanged: 0, failures: 3, hidden: true, base: 2000 }), null);
});

test("an id is told from a type's name", () => {
  assert.deepEqual(["0199d6b0-3c5e-5f4a-9d6b-0123456789AB", "mill.grind", "0199d6b0"].map(isId), [true, false, false]);
});

test("what fails is tried again, later each time", () => {
  assert.equal(nextPause({ unchanged: 0, failures: 1, hidden: false, base: 2000 }), 4000);
  assert.equal(nextPause({ unchanged: 0, failures: 9, hidden: false, base: 2000 }), 30_000);
});

test("a plan counts those that the action is possible for", () => {
  const job = (id: string, type: string, ...actions: string[]) => ({ id, type, links: Object.fromEntries(actions.map((each) => [each, "/"])) });
  const plan = planOf([job("1", "a", "retry"), job("2", "b", "retry"), job("3", "b", "retry"), job("4", "b", "cancel")], "retry");
  assert.deepEqual([plan.eligible.map((each) => each.id), plan.others, plan.byType], [["1", "2", "3"], 1, [["b", 2], ["a", 1]]]);
});

test("changes are made some at a time, and one that fails stops no other", async () => {
  let running = 0;
  let most = 0;
  const failures: (string | null)[] = [];
  const act = async (item: number) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
    if (item === 3) throw new Error("no");
  };
  await inTurns([1, 2, 3, 4, 5, 6, 7], 3, act, (failed) => failures.push(failed?.message ?? null));
  assert.equal(most, 3);
  assert.deepEqual(failures.filter(Boolean), ["no"]);
  assert.equal(failures.length, 7);
});

test("numbers are said in the field's words", () => {
  assert.equal(count(1, "job"), "1 job");
  assert.equal(count(1200, "job"), "1,200 jobs");
  assert.equal(dollars(0), "$0");
  assert.equal(dollars(0.0000074_6), "$0.0000075");
  assert.equal(dollars(0.012), "$0.012");
  assert.equal(dollars(3.4), "$3.40");
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(200_040), "200.0 KB");
  assert.equal(sizeOf("ü"), 4);
});

test("a large branch is closed at first", () => {
  assert.equal(summary([1, 2]), "2 items");
  assert.equal(summary({ a: 1 }), "1 member");
  assert.ok(opensAtFirst({ a: 1 }, 0));
  assert.ok(!opensAtFirst(Array(1000).fill(0), 0));
  assert.ok(!opensAtFirst(Array(20).fill(0), 2));
});

test("bars are stacked, the whole first", () => {
  const points = [{ at: "1970-01-01T00:01:00Z", succeeded: 5, failed: 1, retrying: 2 }];
  assert.deepEqual(stacked(points), [[60], [8], [3], [3], [1]]);
  assert.equal(inWords(points), "5 succeeded, 0 cancelled, 2 retrying, 1 failed");
});

const JOB = { created_at: "1970-01-01T00:00:00Z", started_at: null, finished_at: null, status: "queued" };

test("a line says how long a job ran, runs or waits", () => {
  const job = (change: object) => ({ ...JOB, ...change }) as Parameters<typeof lasting>[0];
  assert.deepEqual(lasting(job({}), 5000), { what: "waiting", milliseconds: 5000 });
  assert.deepEqual(lasting(job({ status: "running", started_at: "1970-01-01T00:00:02Z" }), 5000), { what: "running", milliseconds: 3000 });
  assert.deepEqual(lasting(job({ started_at: "1970-01-01T00:00:02Z", finished_at: "1970-01-01T00:00:04Z" }), 9000), { what: "ran", milliseconds: 2000 });
});

test("an action shows at once what it will bring", () => {
  const job = { ...JOB, links: { self: "/v1/jobs/1", retry: "/" }, error: { code: "x" }, status: "failed" } as unknown as Parameters<typeof expected>[0];
  assert.deepEqual([expected(job, "retry").status, expected(job, "retry").error, expected(job, "retry").links.retry], ["queued", null, undefined]);
  assert.equal(expected({ ...job, status: "running" }, "cancel").cancel_requested, true);
  assert.equal(expected({ ...job, status: "queued" }, "cancel").status, "cancelled");
});

test("newer items are held back, as long as one that was shown is still there", () => {
  const same = (item: string) => item;
  assert.deepEqual(steady(["d", "c", "b", "a"], same, new Set(["b", "a"])), { shown: ["b", "a"], newer: 2 });
  assert.deepEqual(steady(["b", "a"], same, new Set(["b", "a"])), { shown: ["b", "a"], newer: 0 });
  assert.deepEqual(steady(["x", "y"], same, new Set(["b"])), { shown: ["x", "y"], newer: 0 });
});
