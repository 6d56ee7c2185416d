// Bars over time, by uPlot, which is fetched when a chart is first shown.

import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { clock } from "../pure/time.ts";
import { inWords, ORDER, stacked, type Counts } from "../pure/stack.ts";

const HEIGHT = 200;

export function Throughput({ points, step }: { points: Counts[]; step: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [seen, setSeen] = useState<number | undefined>();
  const shown = useRef(points);
  shown.current = points;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let gone = false;
    const draw = async () => {
      const { default: UPlot } = await import("uplot");
      if (gone) return;
      plot.current?.destroy();
      plot.current = new UPlot(options(UPlot, element, step, setSeen), stacked(shown.current), element);
    };
    void draw();
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    sized.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const themed = new MutationObserver(() => void draw());
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const redraw = () => void draw();
    dark.addEventListener("change", redraw);
    return () => {
      gone = true;
      sized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", redraw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [step]);
  useEffect(() => plot.current?.setData(stacked(points)), [points]);
  const point = seen === undefined ? undefined : points[seen];
  return (
    <figure>
      <div ref={box} class="chart" role="img" aria-label={`Ended attempts over time: ${inWords(points)}`} />
      <figcaption>
        {point ? (
          <span>
            {clock(Date.parse(point.at), Date.now())}: {inWords([point])}
          </span>
        ) : (
          ORDER.toReversed().map((name) => (
            <span key={name} class={`legend legend-${name}`}>
              {name === "retrying" ? "failed, retried" : name}
            </span>
          ))
        )}
      </figcaption>
    </figure>
  );
}

function options(UPlot: typeof uPlot, element: HTMLElement, step: number, onSeen: (index: number | undefined) => void): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => resolved(element, name);
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font };
  const bars = UPlot.paths.bars?.({ size: [0.78, 28], align: 1 });
  const series = ORDER.toReversed().map((name) => ({ label: name, fill: colour(`--bar-${name}`), width: 0, points: { show: false }, ...(bars ? { paths: bars } : {}) }));
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false }, points: { show: false } },
    scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] }, x: { range: (_, from, to) => [from, to + step] } },
    axes: [
      { ...axis, grid: { show: false }, values: (_, times) => times.map((time) => clock(time * 1000, Date.now())), space: 90, size: 26 },
      { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6], values: (_, counts) => counts.map((each) => (each >= 1000 ? `${each / 1000}k` : String(each))) },
    ],
    series: [{}, ...series],
    hooks: { setCursor: [(self) => onSeen(self.cursor.idx ?? undefined)] },
  };
}

/** A token's colour in the present theme: a canvas does not know the tokens. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
