// The picture of a job's time, to scale: one track for the job, and one for each step or child that it has.

import { useState } from "preact/hooks";
import { duration, exact } from "../pure/time.ts";
import { marks, placed, type Placed, type Track } from "../pure/timeline.ts";

const NAMES: Record<string, string> = {
  scheduled: "scheduled",
  blocked: "blocked by its lane",
  queued: "queued",
  running: "running",
  retrying: "waiting for a retry",
  waiting: "asleep",
};

export function Timeline({ tracks, from, to }: { tracks: Track[]; from: number; to: number }) {
  const [seen, setSeen] = useState<Placed | undefined>();
  const length = Math.max(1, to - from);
  return (
    <figure class={`timeline ${tracks.length > 1 ? "timeline-named" : ""}`}>
      <div class="tracks" role="img" aria-label={inWords(tracks)}>
        {tracks.map((track) => (
          <div class="track" key={track.name}>
            {tracks.length > 1 ? <span class="track-name">{track.name}</span> : null}
            <div class="rail">
              {placed(track.spans, from, to).map((span) => (
                <span
                  key={`${span.from}-${span.status}`}
                  class={`span span-${span.kind} ${span.code ? "span-failed" : ""} ${span.open ? "span-open" : ""}`}
                  style={{ left: `${span.left}%`, width: `max(3px, ${span.width}%)` }}
                  title={`${NAMES[span.status] ?? span.status}: ${duration(span.to - span.from)}`}
                  onMouseEnter={() => setSeen(span)}
                  onMouseLeave={() => setSeen(undefined)}
                />
              ))}
            </div>
          </div>
        ))}
      </div>
      <div class="axis" aria-hidden="true">
        {marks(length, 6).map((at) => (
          <span key={at} style={{ left: `${(100 * at) / length}%` }} class={at / length > 0.85 ? "mark-last" : ""}>
            {at === 0 ? "0" : duration(at)}
          </span>
        ))}
      </div>
      <figcaption>
        {seen ? (
          <span>
            {NAMES[seen.status] ?? seen.status}
            {seen.kind === "running" ? `, attempt ${seen.attempt}` : ""}: {duration(seen.to - seen.from)} from {exact(seen.from)}
          </span>
        ) : (
          <>
            <span class="legend legend-waiting">waiting</span>
            <span class="legend legend-running">running</span>
            <span class="legend legend-failed">failed attempt</span>
            <span class="legend legend-between">between attempts</span>
          </>
        )}
      </figcaption>
    </figure>
  );
}

function inWords(tracks: Track[]): string {
  return tracks
    .map(({ name, spans }) => `${name}: ${spans.map((span) => `${NAMES[span.status] ?? span.status} ${duration(span.to - span.from)}`).join(", ")}`)
    .join(". ");
}
