export function TypesScreen(_: { [name: string]: unknown }) { return null; }
