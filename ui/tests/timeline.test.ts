import assert from "node:assert/strict";
import { test } from "node:test";
import { marks, placed, spansOf, totals, tracksOf, withResults } from "../src/pure/timeline.ts";

const at = (second: number) => new Date(second * 1000).toISOString();
const RETRIED = [
  { status: "queued", at: at(0), attempt: 0 },
  { status: "running", at: at(2), attempt: 1 },
  { status: "retrying", at: at(3), attempt: 1, code: "KeyError" },
  { status: "queued", at: at(7), attempt: 1 },
  { status: "running", at: at(8), attempt: 2 },
  { status: "succeeded", at: at(10), attempt: 2 },
];

test("a history becomes spans, with the error that ended an attempt", () => {
  const spans = spansOf(RETRIED, 99_000);
  assert.deepEqual(spans.map((span) => [span.kind, span.to - span.from, span.code]), [
    ["waiting", 2000, null], ["running", 1000, "KeyError"], ["between", 4000, null], ["waiting", 1000, null], ["running", 2000, null],
  ]);
  assert.deepEqual(totals(spans), { waiting: 3000, running: 3000, between: 4000 });
  assert.ok(spans.every((span) => !span.open));
});

test("what goes on is open, and ends now", () => {
  const spans = spansOf(RETRIED.slice(0, 2), 5000);
  assert.deepEqual(spans.map((span) => [span.open, span.to]), [[false, 2000], [true, 5000]]);
});

test("a final state begins no span, unless the job was retried", () => {
  const again = [...RETRIED.slice(0, 2), { status: "failed", at: at(3), attempt: 1 }, { status: "queued", at: at(60), attempt: 0 }];
  assert.deepEqual(spansOf(again, 61_000).map((span) => span.status), ["queued", "running", "queued"]);
});

test("a clock that runs back makes no negative span", () => {
  const spans = spansOf([{ status: "queued", at: at(5), attempt: 0 }, { status: "running", at: at(4), attempt: 1 }], 3000);
  assert.ok(spans.every((span) => span.to >= span.from));
});

test("spans are placed to scale", () => {
  const spans = placed(spansOf(RETRIED, 0), 0, 10_000);
  assert.deepEqual(spans.map((span) => [span.left, span.width]), [[0, 20], [20, 10], [30, 40], [70, 10], [80, 20]]);
});

test("an axis has round marks, whatever its length", () => {
  assert.deepEqual(marks(3700, 6), [0, 1000, 2000, 3000]);
  for (const length of [1, 80, 4000, 61_000, 3_600_000, 86_400_000, 31_536_000_000, 1e13]) assert.ok(marks(length, 6).length <= 7);
});

test("each step and wait has a track; one that goes on ends now", () => {
  const tracks = tracksOf([
    { name: "charge", kind: "step", attempt: 1, began_at: at(1), ended_at: at(2) },
    { name: "approved", kind: "signal", attempt: 1, began_at: at(2), ended_at: null },
  ], 9000);
  assert.deepEqual(tracks.map(({ name, spans }) => [name, spans[0]?.kind, spans[0]?.from, spans[0]?.to, spans[0]?.open]), [
    ["charge", "running", 1000, 2000, false], ["approved", "waiting", 2000, 9000, true],
  ]);
});

test("a wait ends with its time, its signal, or its children's results, and has one track", () => {
  const wait = { attempt: 1, began_at: at(1), ended_at: null };
  const tracks = tracksOf(withResults([
    { ...wait, name: "night", kind: "time", until: at(4) },
    { ...wait, name: "approved", kind: "signal", until: at(99) },
    { ...wait, name: "approved", kind: "received", began_at: at(5), ended_at: at(5) },
    { ...wait, name: "thumbs", kind: "children" },
    { ...wait, name: "thumbs", kind: "results", began_at: at(7), ended_at: at(7) },
    { ...wait, name: "early", kind: "received", began_at: at(2), ended_at: at(2) },
    { ...wait, name: "labels", kind: "children" },
  ]), 9000);
  assert.deepEqual(tracks.map(({ name, spans }) => [name, spans[0]?.status, spans[0]?.to, spans[0]?.open]), [
    ["night", "waiting", 4000, false], ["approved", "signal", 5000, false], ["thumbs", "children", 7000, false],
    ["early", "waiting", 2000, false], ["labels", "children", 9000, true],
  ]);
});
