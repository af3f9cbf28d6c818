import type { LedgerCall, LedgerOperation, ProviderCall } from './agreement.ts';
import type { Ceiling, Evidence, Fault, Try } from './evidence.ts';

/** A window, less what may pass between the receipt of a request and its reservation, and the granularity of a second. */
const WINDOW_MS = 58_000;
/** A refusal is right where so much was used in a window and its granularity, by as many as were still under way. */
const REFUSED_WINDOW_MS = 63_000;
/** Without Redis each of the gateways admits its share on top of what Redis admitted (docs/limits.md). */
const WITHOUT_REDIS = 2;
const ROUNDING_MS = 5;
/** A kill of Redis may lose the last second; a gateway that cannot reach it decides by itself. Until its windows are Redis's again. */
const AFTERWARDS_MS = 60_000;

const concernsRedis = ({ target, kind }: Fault): boolean => target === 'redis' || (target === 'gateway' && ['drop', 'delay', 'reset', 'stop'].includes(kind));

interface Span {
  fromMs: number;
  untilMs: number;
}

type Found = { counts: Record<string, number>; broken: string[] };

/** Whether no limit and no budget was exceeded, by all gateways together, and nobody refused before it was used up. */
export function ceilingsHeld(evidence: Pick<Evidence, 'ceilings' | 'operations' | 'attempts' | 'calls' | 'faults' | 'tries' | 'alone'>): Found {
  const found: Found = { counts: {}, broken: [] };
  const trouble = [...evidence.faults.filter(concernsRedis).map((fault) => ({ fromMs: fault.startMs, untilMs: fault.wellMs })), ...evidence.alone];
  for (const ceiling of evidence.ceilings) {
    const operations = evidence.operations.filter(({ tenant }) => tenant === ceiling.tenant);
    const admitted = operations.filter(wasAdmitted);
    const refused = evidence.tries.filter(({ tenant, status }) => tenant === ceiling.tenant && (status === 429 || status === 503));
    found.counts[`admitted (${ceiling.tenant})`] = admitted.length;
    found.counts[`refused (${ceiling.tenant})`] = refused.length;
    found.broken.push(...ofOne(ceiling, { admitted, refused, trouble, calls: evidence.calls, attempts: evidence.attempts }));
  }
  return found;
}

interface Seen {
  admitted: LedgerOperation[];
  refused: Try[];
  trouble: Span[];
  calls: ProviderCall[];
  attempts: LedgerCall[];
}

function ofOne(ceiling: Ceiling, seen: Seen): string[] {
  switch (ceiling.kind) {
    case 'requests': return [...requestsExceeded(ceiling.perMinute, seen), ...refusedTooSoon(ceiling.perMinute, seen)];
    case 'places': return placesExceeded(ceiling.atOnce, seen);
    case 'budget': return budgetExceeded(ceiling.nanoUsd, seen);
  }
}

/** Refusals leave a row too. */
const wasAdmitted = ({ status, errorCode, outcome }: LedgerOperation): boolean => outcome === 'orphaned' || !((status === 429 || status === 503) && errorCode !== null && ['rate_limit_exceeded', 'budget_exceeded', 'overloaded'].includes(errorCode));

const isTroubled = (trouble: Span[], fromMs: number, untilMs: number): boolean => trouble.some((span) => span.fromMs <= untilMs && fromMs <= span.untilMs + AFTERWARDS_MS);

function requestsExceeded(perMinute: number, { admitted, trouble }: Seen): string[] {
  const times = admitted.map(({ receivedMs }) => receivedMs).toSorted((a, b) => a - b);
  const broken: string[] = [];
  for (let first = 0, last = 0; last < times.length; last++) {
    const [untilMs] = times.slice(last, last + 1);
    if (untilMs === undefined) break;
    while ((times[first] ?? untilMs) < untilMs - WINDOW_MS) first++;
    const most = isTroubled(trouble, times[first] ?? untilMs, untilMs) ? perMinute * WITHOUT_REDIS : perMinute;
    if (last - first + 1 > most) broken.push(`${last - first + 1} requests within ${WINDOW_MS / 1000} s under a limit of ${perMinute} a minute${most > perMinute ? ', part of them without Redis' : ''}`);
  }
  return broken.slice(0, 1);
}

/** Those that were asked and not refused count, whatever became of them. */
function refusedTooSoon(perMinute: number, { admitted, refused, trouble }: Seen): string[] {
  return refused.filter(({ endMs }) => !isTroubled(trouble, endMs - REFUSED_WINDOW_MS, endMs)).flatMap(({ mark, startMs, endMs }) => {
    const used = admitted.filter(({ receivedMs }) => receivedMs >= startMs - REFUSED_WINDOW_MS && receivedMs <= endMs).length;
    return used >= perMinute ? [] : [`${mark} was refused when ${used} of ${perMinute} requests were used`];
  });
}

/** A place is taken before the provider is asked and free after the end of the operation: what overlaps by these two held places together. */
function placesExceeded(atOnce: number, { admitted, calls, trouble }: Seen): string[] {
  const spans = admitted.flatMap(({ question, receivedMs, durationMs, outcome }) => {
    const firstMs = Math.min(...calls.filter((call) => call.question === question).map(({ startMs }) => startMs));
    const endMs = receivedMs + (durationMs ?? 0) - ROUNDING_MS;
    return outcome === 'orphaned' || firstMs >= endMs ? [] : [{ startMs: firstMs, endMs }];
  }).toSorted((a, b) => a.startMs - b.startMs);
  for (const { startMs } of spans) {
    const together = spans.filter((span) => span.startMs <= startMs && startMs < span.endMs).length;
    if (together > (isTroubled(trouble, startMs, startMs) ? atOnce * WITHOUT_REDIS : atOnce)) return [`${together} at once under a limit of ${atOnce}`];
  }
  return [];
}

/** A prompt of a call that failed on the way is what no reservation sees: it may come on top. */
function budgetExceeded(nanoUsd: bigint, { admitted, attempts, trouble }: Seen): string[] {
  const byOperation = Map.groupBy(attempts, ({ operation }) => operation);
  let [spent, unseen] = [0n, 0n];
  for (const { id, costNanoUsd } of admitted) {
    spent += costNanoUsd ?? 0n;
    unseen += (byOperation.get(id) ?? []).slice(1).reduce((sum, call) => sum + (call.costNanoUsd ?? 0n), 0n);
  }
  const most = nanoUsd * BigInt(trouble.length > 0 ? WITHOUT_REDIS : 1) + unseen;
  return spent > most ? [`${spent} nano-USD were spent of a budget of ${nanoUsd}`] : [];
}
