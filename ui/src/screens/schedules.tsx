export function SchedulesScreen(_: { [name: string]: unknown }) { return null; }
