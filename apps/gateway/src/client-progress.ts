/** How patient a server is with a client, milliseconds and bytes. */
export interface Patience {
  /** No byte of a body that is waited for comes for so long. */
  bodyIdleMs: number;
  /** A body comes for so long at less than `leastBytesPerS`, on average. */
  bodyGraceMs: number;
  leastBytesPerS: number;
  /** Nothing is taken of an answer that was written whole. */
  unreadAnswerMs: number;
  /** A client goes on to send, or just stays, after an answer that did not wait for the end of its request. */
  lingeringMs: number;
}

/** The rate is what Apache's mod_reqtimeout asks for. A mobile network that is out of reach comes back, or its connection is gone. */
export const PATIENCE: Patience = { bodyIdleMs: 30_000, bodyGraceMs: 60_000, leastBytesPerS: 500, unreadAnswerMs: 60_000, lingeringMs: 30_000 };

/** How far a client has come at one moment. */
export interface Look {
  atMs: number;
  /** What has come of a body, or is left of an answer; only whether and by how much it changes counts. */
  bytes: number;
}

/** A body that arrives. */
export interface Arriving {
  began: Look;
  lastProgress: Look;
}

export const arriving = (look: Look): Arriving => ({ began: look, lastProgress: look });

/** What is known after a further look. `heldUp`: there is something to read that nobody here has read yet, so the client may not be able to send; its time begins anew. */
export function afterLook(known: Arriving, look: Look, heldUp: boolean): Arriving {
  if (heldUp) return arriving(look);
  return look.bytes === known.lastProgress.bytes ? known : { began: known.began, lastProgress: look };
}

/** Whether a body is not worth waiting for any more. */
export function isTooSlow({ began, lastProgress }: Arriving, nowMs: number, { bodyIdleMs, bodyGraceMs, leastBytesPerS }: Patience): boolean {
  if (nowMs - lastProgress.atMs >= bodyIdleMs) return true;
  const tookMs = nowMs - began.atMs;
  return tookMs >= bodyGraceMs && lastProgress.bytes - began.bytes < (leastBytesPerS * tookMs) / 1000;
}
