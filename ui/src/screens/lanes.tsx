export function LanesScreen(_: { [name: string]: unknown }) { return null; }
