/** Who goes first where not everybody can be served: people who wait, before work that can wait. Of a client key, and a request may put itself down to `batch`. */
export const PRIORITIES = ['interactive', 'batch'] as const;
export type Priority = (typeof PRIORITIES)[number];
