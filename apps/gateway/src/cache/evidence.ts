import { setImmediate as nextTurn } from 'node:timers/promises';
import { normaliseText } from '@deja/cache-key';
import { MAX_COMPARED_CHARS, type SemanticCacheEvents, type SemanticCacheRpc, type SemanticMatch } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { KeptReply } from '../attempt/exchange.ts';
import type { Asking, Judge } from '../judge/judge.ts';
import type { Endpoint } from '../pipeline/endpoint.ts';
import type { CacheEntry } from './entry.ts';
import type { QuestionPlace } from './question-place.ts';

/** A kept answer that would have been served, to be compared with the provider's. */
export interface KeptForAudit {
  match: SemanticMatch;
  /** It would not have been served in any case. */
  refused: boolean;
  /** null where it is not there any more, or may not be served. Never rejects. */
  kept: Promise<CacheEntry | null>;
}

type Unjudged = NonNullable<Extract<SemanticCacheRpc['lookup']['reply'], { outcome: 'miss' }>['unjudged']>;
type Tell = <P extends 'audit' | 'judged'>(pattern: P, event: SemanticCacheEvents[P]) => Promise<void>;

/** Longer texts are not normalised: it would hold up everybody else for the sake of some white space. */
const MAX_NORMALISED_CHARS = 65_536;

/** What is found out of semantic answers beside the requests, for the semantic-cache to decide better. Nothing of it delays or fails a request. */
export class Evidence {
  private readonly running = new Set<Promise<void>>();
  private readonly pairs = new Set<string>();

  constructor(
    private readonly askJudge: Pick<Judge, 'same'>,
    private readonly tell: Tell,
    private readonly logger: Pick<Logger, 'debug'>,
  ) {}

  /** Has the judge say whether a question asks what the question of a kept answer does. A pair that is before the judge already is not put to it again. */
  judge(asking: Asking, { partition, text, policy }: QuestionPlace, { entry, text: keptText }: Unjudged): void {
    const { judge } = policy.semantic;
    const pair = `${entry} ${text}`;
    if (judge === null || partition === null || this.pairs.has(pair)) return;
    this.pairs.add(pair);
    this.follow(asking, async () => {
      const same = await this.askJudge.same('questions', [text, keptText], judge, asking);
      if (same !== null) await this.tell('judged', { ...partition, text, entry, same });
    }, () => this.pairs.delete(pair));
  }

  /** Compares the answer that would have been served with the one that the provider gave, if that is one to compare by. */
  audit(asking: Asking, place: QuestionPlace, endpoint: Pick<Endpoint, 'said'>, { match, refused, kept }: KeptForAudit, fresh: KeptReply | null): void {
    // What content safety found something in is an answer to nothing else.
    if (fresh === null || !fresh.storable || !fresh.complete || asking.operation.flags.size > 0) return;
    const { body } = fresh;
    this.follow(asking, async () => {
      const entry = await kept;
      const [before, now] = [entry && endpoint.said?.(entry.body), endpoint.said?.(body)];
      if (typeof before !== 'string' || typeof now !== 'string') return;
      const same = saysTheSame(before, now) || (await this.judgedAnswers(asking, place, before, now));
      const { tenant, model } = place;
      const { entry: id, kind, similarity } = match;
      await this.tell('audit', { tenant, model, entry: id, kind, similarity, refused, same, answers: same === null ? { kept: cut(before), fresh: cut(now) } : null });
    });
  }

  /** Resolves when all that was begun has been told. */
  async close(): Promise<void> {
    await Promise.all(this.running);
  }

  private async judgedAnswers(asking: Asking, { policy: { semantic: { judge } } }: QuestionPlace, before: string, now: string): Promise<boolean | null> {
    return judge === null ? null : this.askJudge.same('answers', [cut(before), cut(now)], judge, asking);
  }

  private follow({ operation }: Asking, work: () => Promise<void>, after: () => void = () => undefined): void {
    const done = nextTurn() // the request goes first
      .then(work)
      .catch((error: unknown) => this.logger.debug({ err: error, request_id: operation.id }, 'evidence on a semantic answer was lost'))
      .finally(() => {
        after();
        this.running.delete(done);
      });
    this.running.add(done);
  }
}

function saysTheSame(a: string, b: string): boolean {
  return a === b || (Math.max(a.length, b.length) <= MAX_NORMALISED_CHARS && normaliseText(a) === normaliseText(b));
}

/** Without half of a surrogate pair at its end. */
const cut = (text: string): string => text.slice(0, MAX_COMPARED_CHARS).toWellFormed();
