import type { Environment } from '@deja/config';

/** Where the admin surface is served: nowhere, beside the client's API, or on a port of its own (0: any free one). */
export type AdminPlace = { kind: 'nowhere' } | { kind: 'beside' } | { kind: 'own port'; port: number };

export function adminPlace({ admin, adminKey, adminPort }: Pick<Environment, 'admin' | 'adminKey' | 'adminPort'>): AdminPlace {
  if (!admin || adminKey === null) return { kind: 'nowhere' };
  return adminPort === null ? { kind: 'beside' } : { kind: 'own port', port: adminPort };
}
