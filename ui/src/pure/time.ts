// Moments and durations as people read them, in the viewer's own zone.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in two units at most: `340 ms`, `1.4 s`, `3 min 5 s`, `2 h 4 min`, `3 d 4 h`. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return twoUnits(ms, MINUTE, "min", SECOND, "s");
  if (ms < DAY) return twoUnits(ms, HOUR, "h", MINUTE, "min");
  return twoUnits(ms, DAY, "d", HOUR, "h");
}

function twoUnits(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const whole = Math.floor(ms / large);
  const rest = Math.floor((ms % large) / small);
  return rest && whole < 100 ? `${whole} ${largeName} ${rest} ${smallName}` : `${whole} ${largeName}`;
}

/** One unit, past or to come: `now`, `8 s ago`, `in 3 min`, `2 d ago`. */
export function relative(at: number, now: number): string {
  const distance = Math.abs(now - at);
  if (distance < SECOND) return "now";
  const text = oneUnit(distance);
  return at < now ? `${text} ago` : `in ${text}`;
}

function oneUnit(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** How long `relative` of a moment stays as it is, in milliseconds. */
export function staysFor(at: number, now: number): number {
  const distance = Math.abs(now - at);
  if (distance < MINUTE) return SECOND;
  return distance < HOUR ? 20 * SECOND : 5 * MINUTE;
}

/** Date, time to the millisecond and zone: `27 Nov 2026, 15:04:05.120 CET`; a whole second without any. */
export function exact(at: number, zone?: string): string {
  const parts = new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    ...(at % 1000 ? { fractionalSecondDigits: 3 as const } : {}),
    timeZoneName: "short",
    ...(zone ? { timeZone: zone } : {}),
  });
  return parts.format(at);
}

/** Time of day, with the day where it is another than that of `now`. */
export function clock(at: number, now: number, zone?: string): string {
  const options: Intl.DateTimeFormatOptions = zone ? { timeZone: zone } : {};
  const day = new Intl.DateTimeFormat("en-GB", { ...options, day: "numeric", month: "short" });
  const time = new Intl.DateTimeFormat("en-GB", { ...options, hour: "2-digit", minute: "2-digit" }).format(at);
  return day.format(at) === day.format(now) ? time : `${day.format(at)}, ${time}`;
}

const MOMENT = /(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)/;

/** A sentence of the API in parts, of which some are moments: `it waits since 2026-11-27 20:54:14 UTC`. */
export function momentsIn(text: string): { text: string; at: number | null }[] {
  return text.split(MOMENT).map((part) => ({ text: part, at: MOMENT.test(part) ? Date.parse(part.replace(" UTC", "Z").replace(" ", "T")) : null }));
}

/** A moment as a field of local time has it, to the minute; empty for none. */
export function localOf(moment: string): string {
  const at = Date.parse(moment);
  if (Number.isNaN(at)) return "";
  return new Date(at - new Date(at).getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
}

/** The moment that a field of local time means; empty for none. */
export function momentOf(local: string): string {
  const at = Date.parse(local);
  return Number.isNaN(at) ? "" : new Date(at).toISOString();
}
