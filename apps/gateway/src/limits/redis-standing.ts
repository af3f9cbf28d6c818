/** Whether Redis is asked. While it is not fast, everything is decided without it, and one probe at a time tries whether it has come back. */
export type Standing =
  | { readonly kind: 'fast' }
  | { readonly kind: 'slow'; readonly sinceMs: number; readonly probeAtMs: number }
  | { readonly kind: 'probing'; readonly sinceMs: number };

export const FAST: Standing = { kind: 'fast' };

/** The first probe follows trouble soon: a hiccup, of Redis or of a busy machine, is not to cost a second. Drawn evenly. */
export const FIRST_PROBE_MS = [10, 60] as const;
/** Another follows a probe in vain after so long: gateways that lost Redis together do not come back together. */
export const PROBE_MS = [250, 750] as const;

/** An answer did not come in time, or there is nobody to ask. `random` in [0, 1). What is known already changes nothing: requests that were under way together fail together. */
export function afterTrouble(standing: Standing, nowMs: number, random: number): Standing {
  return standing.kind === 'fast' ? slow(nowMs, nowMs, FIRST_PROBE_MS, random) : standing;
}

/** `probing` where a probe is due, else as it was. */
export function beginProbe(standing: Standing, nowMs: number): Standing {
  return standing.kind === 'slow' && nowMs >= standing.probeAtMs ? { kind: 'probing', sinceMs: standing.sinceMs } : standing;
}

/** The probe under way was answered in time, or was not. Of no other probe anything is believed. */
export function afterProbe(standing: Standing, inTime: boolean, nowMs: number, random: number): Standing {
  if (standing.kind !== 'probing') return standing;
  return inTime ? FAST : slow(standing.sinceMs, nowMs, PROBE_MS, random);
}

const slow = (sinceMs: number, nowMs: number, [least, most]: readonly [number, number], random: number): Standing => ({ kind: 'slow', sinceMs, probeAtMs: nowMs + least + random * (most - least) });
