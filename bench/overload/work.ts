/** Part of an open loop: so many requests a second for so long. */
export interface Step {
  name: string;
  perSecond: number;
  durationMs: number;
}

export interface Target {
  port: number;
  key: string;
}

/** For the load generator: as many requests as so many clients get answered, or requests by the clock, one step after another without a pause. */
export type Work = { target: Target } & ({ how: 'closed'; clients: number; durationMs: number } | { how: 'open'; steps: Step[]; batchShare: number });

/** One request. Times in ms from the beginning of its work. */
export interface Sent {
  /** When it was due. */
  dueMs: number;
  /** When its answer was complete, or it had failed. */
  endMs: number;
  /** 0: it has got no answer, or was never sent. */
  status: number;
  isBatch: boolean;
  hasRetryAfter: boolean;
}

export interface Result {
  sent: Sent[];
  elapsedMs: number;
  /** How much later than due the generator came to send, ms, where a connection was free: its own lateness, not that of what it measures. */
  latenessMs: number[];
}

/** How long the provider takes, ms. */
export const PROVIDER_MS = 50;
