export function WebhooksScreen(_: { [name: string]: unknown }) { return null; }
