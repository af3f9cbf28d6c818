import { fakeProvider, testCluster, type FakeProvider, type ProviderRequest, type TestCluster, type TestClusterOptions } from '@deja/testing';
import { AdminClient } from './admin-client.ts';
import { respelt } from './cached-answers.ts';
import { ask, eventually, post, sdk, type Raw } from './client.ts';

/** Two of them. */
export const GATEWAYS = [0, 1];
export const MODEL = 'gpt-4o-mini';
/** So soon what was taken back is served nowhere. */
export const IN_FORCE_MS = 1000;
/** By then all replicas know of an answer, also on a machine that has little time. */
const KNOWN_MS = 25_000;
/** Why a gateway did not look: it or the semantic-cache had no time. Says nothing about the question. */
const NOT_LOOKED = /^(semantic_unavailable|cache_unavailable|too_late)$/;
/** The cache may answer, and does not keep what is bought. */
const KEEP_NOTHING = { 'cache-control': 'no-store' };

/** `cache` of deja.yaml. */
export interface CacheSettings {
  scope?: 'key' | 'user' | 'tenant';
  semantic?: object;
  pad_hits_ms?: number;
}

/** Who asks, and how. */
export interface Asking {
  /** The cluster's own unless given. */
  key?: string;
  /** 0 for the first. */
  gateway?: number;
  headers?: Record<string, string>;
  /** Turns before the question. */
  earlier?: object[];
  /** Members of the body besides. */
  more?: object;
}

export interface SemanticClusterOptions extends Pick<TestClusterOptions, 'env' | 'redisUrl'> {
  cache?: CacheSettings;
  /** `content_safety` of deja.yaml. */
  rules?: object;
}

/** What a kept answer was, and its id. */
export interface Kept {
  reply: Raw;
  entry: string;
}

/** Two gateways and two semantic-caches, with a provider that serves every model. Nothing is audited unless the settings say so: whether an answer is a hit would be chance. */
export class SemanticCluster {
  readonly cluster: TestCluster;
  readonly provider: FakeProvider;
  readonly admin: AdminClient;
  private readonly rules: object;
  private written = 0;
  private tenants = 0;

  private constructor(cluster: TestCluster, provider: FakeProvider, rules: object) {
    this.cluster = cluster;
    this.provider = provider;
    this.rules = rules;
    this.admin = new AdminClient(cluster);
  }

  static async start({ cache = {}, rules = {}, ...options }: SemanticClusterOptions = {}): Promise<SemanticCluster> {
    const provider = await fakeProvider();
    const cluster = await testCluster({ config: configOf(provider, cache, rules, 0), scale: { gateway: GATEWAYS.length, 'semantic-cache': 2 }, ...options });
    return new SemanticCluster(cluster, provider, rules);
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    await this.provider.close();
  }

  /** Puts these settings into force; resolves when every gateway has them. */
  async configure(cache: CacheSettings): Promise<void> {
    const n = ++this.written;
    await this.cluster.configure(configOf(this.provider, cache, this.rules, n));
    await eventually('the settings at every gateway', async () => {
      const lists = await Promise.all(this.cluster.urls.map(async (url) => (await sdk(this.cluster, url).models.list()).data));
      return lists.every((models) => models.some(({ id }) => id === markerOf(n)));
    });
  }

  /** A new tenant, and a client key of it. Settings are the admin API's. */
  async tenant(settings: object = {}): Promise<{ tenant: string; key: string }> {
    const tenant = `tenant-${++this.tenants}`;
    await this.admin.done('POST', 'tenants', { id: tenant, ...settings });
    return { tenant, key: await this.key(tenant) };
  }

  async key(tenant: string): Promise<string> {
    return String((await this.admin.done('POST', 'keys', { tenant, name: 'test' }))['key']);
  }

  /** Asks, as any client does. */
  ask(text: string, { key = this.cluster.key, gateway = 0, headers = {}, earlier = [], more = {} }: Asking = {}): Promise<Raw> {
    return post({ url: this.cluster.urls[gateway] ?? '', key }, { model: MODEL, messages: [...earlier, ...ask(text)], ...more }, headers);
  }

  /** What the cache has for a question; keeps nothing, and asks again where the machine had no time to look. */
  look(text: string, asking: Asking = {}): Promise<Raw> {
    return eventually(`a look at the cache for ${JSON.stringify(text)}`, async () => {
      const reply = await this.ask(text, { ...asking, headers: { ...KEEP_NOTHING, ...asking.headers } });
      return NOT_LOOKED.test(reasonOf(reply)) ? null : reply;
    }, KNOWN_MS);
  }

  /** Asks so that the answer is kept, and waits until every gateway finds it for the same words spelled otherwise. */
  async kept(text: string, asking: Asking = {}): Promise<Kept> {
    const reply = await this.ask(text, asking);
    const found = await Promise.all(GATEWAYS.map((gateway) => this.servedAs(respelt(text), 'HIT-SEMANTIC', { ...asking, gateway }, KNOWN_MS)));
    return { reply, entry: found[0]?.headers.get('x-cache-entry') ?? '' };
  }

  /** Resolves with the first reply whose `x-cache`, or reason, is this; rejects at the deadline, and says what was seen. */
  async servedAs(text: string, wanted: string, asking: Asking = {}, deadlineMs = KNOWN_MS): Promise<Raw> {
    let seen = '';
    return await eventually(wanted, async () => {
      const reply = await this.look(text, asking);
      seen = cacheOf(reply);
      return seen.split(' ').includes(wanted) && reply;
    }, deadlineMs).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(text)} came as ${seen}`);
    });
  }

  /** Resolves when no gateway serves the question by similarity; rejects where one does after a second. */
  async goneEverywhere(text: string, asking: Asking = {}): Promise<void> {
    await Promise.all(GATEWAYS.map((gateway) => eventually(`no answer to ${JSON.stringify(text)} at gateway ${gateway}`, async () => {
      const reply = await this.ask(text, { ...asking, gateway, headers: KEEP_NOTHING });
      return !cacheOf(reply).startsWith('HIT');
    }, IN_FORCE_MS)));
    for (const gateway of GATEWAYS) {
      const cache = cacheOf(await this.look(text, { ...asking, gateway }));
      if (cache.startsWith('HIT')) throw new Error(`${JSON.stringify(text)} is served again at gateway ${gateway}`);
    }
  }
}

const markerOf = (n: number): string => `settings-${n}`;

/** The judge and the embedder have names of their own, so that tests can tell their calls. */
function configOf(provider: FakeProvider, { semantic = {}, ...cache }: CacheSettings, rules: object, n: number): object {
  const named = (name: string, model = name): object => ({ name, deployments: [{ provider: 'fake', model }] });
  return {
    providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
    models: [named('*'), named('judge', 'gpt-4.1-nano'), named('text-embedding-3-small'), named(markerOf(n), MODEL)],
    content_safety: rules,
    cache: { ...cache, semantic: { audit: { share: 0 }, ...semantic } },
  };
}

/** `x-cache` and, where there is one, its reason: `MISS not_verified`. */
export const cacheOf = ({ headers }: Pick<Raw, 'headers'>): string => [headers.get('x-cache'), headers.get('x-cache-reason')].filter((value) => value !== null).join(' ');

export const reasonOf = ({ headers }: Pick<Raw, 'headers'>): string => headers.get('x-cache-reason') ?? '';

/** The text of an answer, whole or streamed. */
export function said({ text, json }: Raw): string {
  const whole = json as { choices?: { message: { content: string } }[] };
  if (whole.choices !== undefined) return whole.choices[0]?.message.content ?? '';
  const events = text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice('data: '.length)) as { choices: { delta: { content?: string } }[] });
  return events.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
}

/** The model that a request to the provider names. */
export const modelOf = ({ body }: ProviderRequest): string => String((body as { model?: unknown } | undefined)?.model);
