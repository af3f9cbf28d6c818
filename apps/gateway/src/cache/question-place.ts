import { cacheKeys, type Eligibility, type ParsedBody, type Sharing } from '@deja/cache-key';
import { countedModel, exactKey, type Settings } from '@deja/contracts';
import type { CachePlace } from './answer-store.ts';
import type { CacheWishes } from './directives.ts';
import type { Decided, KnownQuestions } from './known-questions.ts';

/** Where the answer to a question of one request may be found and kept, and under which policy. */
export interface QuestionPlace extends CachePlace {
  /** The public model that is asked, without a preference: wrong answers are counted by it. */
  model: string;
  policy: Settings['cache'];
  /** Whether the cache may answer at all, and what `x-cache-reason` says where it may not, or only the same question. */
  cache: 'MISS' | 'BYPASS';
  reason: string | null;
}

export interface PlacedQuestion {
  tenant: string;
  /** Who shares answers: `tenant`, `key:<id>` or `user:<id>`. */
  scope: string;
  /** Path of the API, as `chat/completions`. */
  endpoint: string;
  body: ParsedBody;
  /** The name the client sent. */
  model: string;
  lastUserText: string | null;
  /** Content safety found something in the prompt, and let it pass. */
  flagged: boolean;
  wishes: CacheWishes;
  policy: Settings['cache'];
  rules: string;
  eligibility: (sharing: Sharing) => Eligibility;
}

/** The same with and without `known`, which only has it sooner. */
export function questionPlace(question: PlacedQuestion, known: Pick<KnownQuestions, 'of'> | null = null): QuestionPlace {
  const { tenant, scope, model, lastUserText: text, wishes, policy, rules } = question;
  const { allowed, keys } = known === null ? decided(question) : known.of(question, () => decided(question));
  const semantic = wishes.semantic && allowed.semantic && text !== null;
  return {
    wishes,
    tenant,
    exactKey: wishes.exact && allowed.exact ? exactKey(tenant, keys.exact) : null,
    partition: semantic && keys.fingerprint !== null ? { tenant, scope, fingerprint: keys.fingerprint } : null,
    text: text ?? '',
    rules,
    model: countedModel(model),
    policy,
    cache: wishes.bypass === null && allowed.exact ? 'MISS' : 'BYPASS',
    reason: wishes.bypass ?? allowed.reason,
  };
}

const decided = ({ tenant, scope, endpoint, body, model, flagged, eligibility }: PlacedQuestion): Decided => ({
  allowed: eligibility({ byUser: scope.startsWith('user:'), flagged }),
  keys: cacheKeys(body, { tenant, scope, servedModel: model, endpoint }),
});
