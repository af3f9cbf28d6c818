import type { limits, scopeLimits } from '@deja/admin-api';
import { DEGRADED_MODES, type DegradedMode } from '@deja/contracts';
import { InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { nothingTaken } from './removal.ts';

export const MEASURES = ['requests_per_minute', 'tokens_per_minute', 'requests_per_day', 'tokens_per_day', 'concurrency'] as const;
type Measure = (typeof MEASURES)[number];
type Limits = z.output<typeof limits>;
type ScopeLimits = z.output<typeof scopeLimits>;

/** One `--limit`; null takes away what was there. */
export type LimitChange = { measure: Measure; model: string | null; value: number | null } | { degraded: DegradedMode | null };

const FORMS = `write for example requests_per_minute=60, gpt-4o:tokens_per_day=100k, concurrency=none or degraded=closed (what can be limited: ${MEASURES.join(', ')})`;
const FACTORS: Record<string, number> = { '': 1, k: 1e3, M: 1e6 };

/** `requests_per_minute=60`, `gpt-4o:tokens_per_day=100k`, `degraded=closed`; `none` in place of the value takes away. */
export function parseLimit(text: string): LimitChange {
  const degraded = /^degraded=(.*)$/.exec(text)?.[1];
  if (degraded !== undefined) {
    const mode = DEGRADED_MODES.find((known) => known === degraded);
    if (mode === undefined && degraded !== 'none') throw new InvalidArgumentError(`write degraded=${DEGRADED_MODES.join(', degraded=')} or degraded=none`);
    return { degraded: mode ?? null };
  }
  // Models have colons in their names; measures have none.
  const match = /^(?:(.+):)?([a-z_]+)=([^=]*)$/s.exec(text);
  const measure = MEASURES.find((known) => known === match?.[2]);
  if (match === null || measure === undefined) throw new InvalidArgumentError(FORMS);
  return { measure, model: match[1] ?? null, value: match[3] === 'none' ? null : parseCount(match[3] ?? '') };
}

/** The limits with these changes made, in order. A model without limits is left out. Throws a CliFailure where there is nothing to take away. */
export function applyLimits(current: ScopeLimits, changes: readonly LimitChange[]): ScopeLimits {
  return changes.reduce<ScopeLimits>((scope, change) => {
    const removal = removalWords(change);
    // Compared as they are typed, without the value.
    if (removal !== null && !limitWords(scope).some((shown) => shown.replace(/[^=]*$/, 'none') === removal)) throw nothingTaken(removal, limitWords(scope));
    if ('degraded' in change) return without({ ...scope, degraded: change.degraded ?? undefined });
    const { measure, model, value } = change;
    if (model === null) return without({ ...scope, [measure]: value ?? undefined });
    const of = without<Limits>({ ...(Object.hasOwn(scope.models ?? {}, model) ? scope.models?.[model] : {}), [measure]: value ?? undefined });
    const models = new Map(Object.entries(scope.models ?? {})).set(model, of);
    const kept = [...models].filter(([, ceilings]) => Object.keys(ceilings).length > 0);
    return without({ ...scope, models: kept.length === 0 ? undefined : Object.fromEntries(kept) });
  }, current);
}

/** As `parseLimit` reads them. */
export function limitWords({ models = {}, degraded, ...own }: ScopeLimits): string[] {
  const words = (prefix: string, of: Limits): string[] => MEASURES.flatMap((measure) => (of[measure] === undefined ? [] : [`${prefix}${measure}=${of[measure]}`]));
  return [...words('', own), ...Object.entries(models).flatMap(([model, of]) => words(`${model}:`, of)), ...(degraded === undefined ? [] : [`degraded=${degraded}`])];
}

/** null: it takes nothing away. */
function removalWords(change: LimitChange): string | null {
  if ('degraded' in change) return change.degraded === null ? 'degraded=none' : null;
  return change.value === null ? `${change.model === null ? '' : `${change.model}:`}${change.measure}=none` : null;
}

/** A whole number from 1 on: `60`, `100k`, `1.5M`. */
function parseCount(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kM]?)$/.exec(text.replaceAll('_', ''));
  // Rounded: 1.001 times a million is not exactly what it says.
  const scaled = Number(match?.[1]) * (FACTORS[match?.[2] ?? ''] ?? Number.NaN);
  const value = Math.round(scaled);
  const isWhole = Number.isSafeInteger(value) && value >= 1 && Math.abs(scaled - value) <= 1e-6 * value;
  if (match === null || !isWhole) throw new InvalidArgumentError(`${JSON.stringify(text)} is no limit: write a whole number from 1 on, as 60, 100k or 2M, or none`);
  return value;
}

const without = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
