// The keyboard: `g` and a letter goes somewhere, `j` and `k` walk through a list, `x` selects, `/` filters, `?` explains.

import { useEffect, useState } from "preact/hooks";
import type { Place } from "./app.tsx";
import { go } from "./live/use_route.ts";
import { Dialog } from "./parts/frame.tsx";

const PATIENCE = 1500;

export function useKeys(places: Place[]): [boolean, (shown: boolean) => void] {
  const [help, setHelp] = useState(false);
  useEffect(() => {
    let going = 0;
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (Date.now() - going < PATIENCE) {
        going = 0;
        const place = places.find((each) => each.key === event.key);
        if (place) {
          event.preventDefault();
          go(place.path ? [place.path] : []);
        }
        return;
      }
      if (event.key === "g") going = Date.now();
      else if (event.key === "?") setHelp(true);
      else if (event.key === "/") focusOn(event, document.querySelector<HTMLElement>("[data-filter]"));
      else if (event.key === "j" || event.key === "k") walk(event, event.key === "j" ? 1 : -1);
      else if (event.key === "x") document.activeElement?.closest("tr")?.querySelector<HTMLElement>(".check input")?.click();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [places.length]);
  return [help, setHelp];
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.closest("dialog") !== null);
}

function focusOn(event: Event, element: HTMLElement | null): void {
  if (!element) return;
  event.preventDefault();
  element.focus();
}

/** The links of the list's lines, of which one has the focus. */
function walk(event: Event, step: number): void {
  const links = [...document.querySelectorAll<HTMLElement>("[data-line]")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  focusOn(event, links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step))] ?? null);
}

export function Keys({ places, onClose }: { places: Place[]; onClose: () => void }) {
  const rows: [string, string][] = [
    ...places.map((place): [string, string] => [`g ${place.key}`, place.name]),
    ["j, k", "next and previous line of a list"],
    ["Enter", "open the line"],
    ["x", "select the line"],
    ["/", "filter"],
    ["?", "these keys"],
  ];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <table class="keys">
        <tbody>
          {rows.map(([key, what]) => (
            <tr key={key}>
              <th scope="row">
                <kbd>{key}</kbd>
              </th>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
