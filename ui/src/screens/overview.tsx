export function OverviewScreen(_: { [name: string]: unknown }) { return null; }
