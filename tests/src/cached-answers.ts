import { GATEWAYS, IN_FORCE_MS, MODEL, type AdminCluster } from './admin-cluster.ts';
import { ask, eventually } from './client.ts';

/** Ways in which an answer is found: for the same question, for a similar one, and as a vector. */
export const KINDS = ['exact', 'semantic', 'vector'] as const;
export type Kind = (typeof KINDS)[number];

/** Who asks, and how. */
export interface Asker {
  key: string;
  model?: string;
  /** As `x-deja-tags` has them. */
  tags?: string;
  user?: string;
}

/** By then a gateway that could not look at the cache, because Redis or the semantic-cache was slow, can again. */
export const LOOKED_UP_MS = 15_000;
const HITS: Record<Kind, string> = { exact: 'HIT-EXACT', semantic: 'HIT-SEMANTIC', vector: 'HIT-EXACT' };

/** A question, and the vector of its text, as far as a cluster has answers to it. */
export class CachedQuestion {
  constructor(
    private readonly stage: AdminCluster,
    readonly asker: Asker,
    readonly text: string,
  ) {}

  /** The same question of somebody else. */
  by(asker: Partial<Asker>): CachedQuestion {
    return new CachedQuestion(this.stage, { ...this.asker, ...asker }, this.text);
  }

  /** Asks for what may be kept. */
  async buy(): Promise<void> {
    for (const kind of ['exact', 'vector'] as const) await this.headers(kind, 0, {});
  }

  /** Asks, and waits until every gateway finds it in each way. */
  async keep(): Promise<this> {
    await this.buy();
    await this.isServed();
    return this;
  }

  /** Headers of an answer; what is bought for it is not kept. */
  async headers(kind: Kind, gateway: number, more: Record<string, string> = { 'cache-control': 'no-store' }): Promise<Headers> {
    const { key, model = MODEL, tags, user } = this.asker;
    const { chat, embeddings } = this.stage.sdk(key, gateway);
    const options = { headers: { ...more, ...(tags !== undefined && { 'x-deja-tags': tags }), ...(user !== undefined && { 'x-deja-user': user }) } };
    const content = kind === 'semantic' ? respelt(this.text) : this.text;
    const call = kind === 'vector' ? embeddings.create({ model, input: content }, options) : chat.completions.create({ model, messages: ask(content) }, options);
    return (await call.withResponse()).response.headers;
  }

  async cache(kind: Kind, gateway: number): Promise<string | null> {
    return (await this.headers(kind, gateway)).get('x-cache');
  }

  /** Its id at the first gateway, once it is found. */
  async entry(kind: Kind): Promise<string> {
    return await eventually(`an answer that is ${kind}`, async () => (await this.headers(kind, 0)).get('x-cache-entry'));
  }

  /** Whole seconds since the youngest of its answers was made. */
  async ageS(): Promise<number> {
    return Math.min(...(await Promise.all(KINDS.map(async (kind) => Number((await this.headers(kind, 0)).get('age'))))));
  }

  /** Resolves when every gateway serves it from the cache in each of these ways. */
  async isServed(kinds: readonly Kind[] = KINDS): Promise<void> {
    await this.each(kinds, (kind, gateway) => eventually(`${kind} of ${this.text} at gateway ${gateway}`, async () => (await this.cache(kind, gateway)) === HITS[kind], LOOKED_UP_MS));
  }

  /** Resolves when no gateway serves it from the cache in any of these ways; rejects where one does after a second, or again. */
  async isGone(kinds: readonly Kind[] = KINDS): Promise<void> {
    await this.each(kinds, (kind, gateway) => eventually(`no ${kind} of ${this.text} at gateway ${gateway}`, async () => (await this.cache(kind, gateway)) === 'MISS', IN_FORCE_MS));
    await this.each(kinds, (kind, gateway) => eventually(`a look at the cache of gateway ${gateway}`, async () => {
      const headers = await this.headers(kind, gateway);
      if (headers.get('x-cache') !== 'MISS') throw new Error(`${kind} of ${this.text} at gateway ${gateway} is served again`);
      return !headers.get('x-cache-reason')?.endsWith('_unavailable');
    }, LOOKED_UP_MS));
  }

  /** One way after the other: a gateway whose machine has no time looks at no cache for a while. */
  private async each(kinds: readonly Kind[], look: (kind: Kind, gateway: number) => Promise<unknown>): Promise<void> {
    await Promise.all(GATEWAYS.map(async (gateway) => {
      for (const kind of kinds) await look(kind, gateway);
    }));
  }
}

/** As a similar question is: other case and white space, and no mark at its end. */
export const respelt = (text: string): string => text.toLowerCase().replace(/\?$/, '').replace(' ', '  ');
