import { countedModel } from './counted-model.ts';

/** Cached answers that are served no more: those that were made until a moment and meet every condition. A condition that is null is none. */
export interface Invalidation {
  /** UUIDv7. */
  id: string;
  tenant: string | null;
  /** Public model, without a preference (`countedModel`). */
  model: string | null;
  /** `k=v` */
  tag: string | null;
  /** Id of an answer. */
  entry: string | null;
  /** Unix ms by the clock of the Redis that has `INVALIDATIONS_KEY`: answers of this moment are covered, later ones are not. */
  beforeMs: number;
  /** Unix ms by the same clock. */
  madeAtMs: number;
}

/** What invalidations ask of an answer, besides whose it is and its id. */
export interface AnswerFacts {
  /** Unix ms by Redis's clock, never later than it was. */
  createdAtMs: number;
  /** Public model that gave the answer. */
  model: string;
  /** Public model that was asked for, without a preference, where that is another. */
  asked?: string;
  /** Tags of the request that made it; absent where it had none. */
  tags?: Record<string, string>;
}

export interface CachedAnswer extends AnswerFacts {
  tenant: string;
  entry: string;
}

/** Whether the answer is not to be served any more. */
export function covers(rule: Invalidation, { tenant, entry, createdAtMs, model, asked, tags }: CachedAnswer): boolean {
  return (
    createdAtMs <= rule.beforeMs &&
    (rule.tenant === null || rule.tenant === tenant) &&
    (rule.entry === null || rule.entry === entry) &&
    (rule.model === null || rule.model === countedModel(model) || rule.model === asked) &&
    (rule.tag === null || hasTag(tags, rule.tag))
  );
}

/** Whether the wider one covers every answer that the narrower one covers, so that the narrower one says nothing more. */
export function includes(wider: Invalidation, narrower: Invalidation): boolean {
  const asNarrow = (member: 'tenant' | 'model' | 'tag' | 'entry'): boolean => wider[member] === null || wider[member] === narrower[member];
  return wider.beforeMs >= narrower.beforeMs && asNarrow('tenant') && asNarrow('model') && asNarrow('tag') && asNarrow('entry');
}

/** Invalidations, ordered so that an answer is held against few of them: those of its id, and those of its tenant or of all that name no answer. */
export class InvalidationSet {
  private readonly byEntry = new Map<string, Invalidation[]>();
  private readonly byTenant = new Map<string | null, Invalidation[]>();
  private latestMs = -Infinity;
  readonly all: readonly Invalidation[];

  constructor(all: readonly Invalidation[]) {
    this.all = all;
    for (const rule of all) {
      this.latestMs = Math.max(this.latestMs, rule.beforeMs);
      if (rule.entry === null) add(this.byTenant, rule.tenant, rule);
      else add(this.byEntry, rule.entry, rule);
    }
  }

  /** Whether one of them covers the answer. */
  covers(answer: CachedAnswer): boolean {
    if (answer.createdAtMs > this.latestMs) return false;
    return [this.byEntry.get(answer.entry), this.byTenant.get(answer.tenant), this.byTenant.get(null)].some((rules) => rules?.some((rule) => covers(rule, answer)));
  }
}

function hasTag(tags: Record<string, string> | undefined, tag: string): boolean {
  const at = tag.indexOf('=');
  const name = tag.slice(0, at);
  return tags !== undefined && Object.hasOwn(tags, name) && tags[name] === tag.slice(at + 1);
}

function add<K>(lists: Map<K, Invalidation[]>, key: K, rule: Invalidation): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [rule]);
  else list.push(rule);
}
