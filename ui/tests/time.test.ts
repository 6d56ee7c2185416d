import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, duration, exact, momentsIn, relative, staysFor } from "../src/pure/time.ts";

const NOW = Date.parse("2026-11-27T14:04:05.120Z");

test("a duration has two units at most", () => {
  const said: [number, string][] = [
    [-5, "0 ms"], [0.4, "0 ms"], [999, "999 ms"], [1400, "1.4 s"], [59_999, "59 s"], [60_000, "1 min"], [185_000, "3 min 5 s"],
    [3_600_000, "1 h"], [7_440_000, "2 h 4 min"], [86_400_000 * 3 + 3_600_000 * 4, "3 d 4 h"], [86_400_000 * 400, "400 d"],
  ];
  for (const [milliseconds, text] of said) assert.equal(duration(milliseconds), text);
});

test("a moment is said relative to now, past or to come", () => {
  assert.equal(relative(NOW, NOW), "now");
  assert.equal(relative(NOW - 8500, NOW), "8 s ago");
  assert.equal(relative(NOW + 200_000, NOW), "in 3 min");
  assert.equal(relative(NOW - 86_400_000, NOW), "24 h ago");
  assert.equal(relative(NOW - 86_400_000 * 3, NOW), "3 d ago");
});

test("what is said changes each second at first, and seldom later", () => {
  assert.ok(staysFor(NOW - 5000, NOW) <= 1000);
  assert.ok(staysFor(NOW - 86_400_000, NOW) > 60_000);
});

test("the exact moment is in the viewer's zone, and names it", () => {
  assert.equal(exact(NOW, "Europe/Oslo"), "27 Nov 2026, 15:04:05.120 CET");
  assert.match(exact(NOW, "America/New_York"), /09:04:05\.120 GMT-5$/);
});

test("a clock has the day only if it is another", () => {
  assert.equal(clock(NOW, NOW, "UTC"), "14:04");
  assert.equal(clock(NOW - 86_400_000, NOW, "UTC"), "26 Nov, 14:04");
});

test("moments in a sentence of the API are found", () => {
  const parts = momentsIn("its time is 2026-11-27 14:04:05 UTC.");
  assert.deepEqual(parts.map((part) => part.at), [null, Date.parse("2026-11-27T14:04:05Z"), null]);
  assert.deepEqual(momentsIn("the lane is full"), [{ text: "the lane is full", at: null }]);
});
