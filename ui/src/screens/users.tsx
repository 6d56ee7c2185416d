export function UsersScreen(_: { [name: string]: unknown }) { return null; }
