import { eventually } from './eventually.ts';
import { ALONE, ObservedProviders, UNPRICED, UNSTEADY } from './observed-providers.ts';
import { Prometheus } from './prometheus.ts';
import { testCluster, type TestCluster, type TestClusterOptions } from './cluster.ts';

/** Things that somebody asks how to do; each is asked in two ways. */
const THINGS = ['clean a trombone', 'bake a marmalade cake', 'fold a paper crane', 'sharpen a kitchen knife', 'whistle with two fingers', 'prune a pear tree'];
const AGAIN_MS = 15_000;

interface Client {
  tenant: string;
  key: string;
}

interface Asked {
  model?: string;
  stream?: boolean;
  key?: string;
  headers?: Record<string, string>;
}

export interface ObservedClusterOptions extends Pick<TestClusterOptions, 'env' | 'ownPostgres'> {
  /** Absolute paths of Prometheus's rules. */
  ruleFiles: readonly string[];
}

/**
 * A whole cluster that a real Prometheus scrapes once a second, and everything that can happen to requests: answers from both caches, streams, failovers, refusals of
 * providers and of limits, budgets, unknown prices, audits, feedback, captures. For whoever wants to see all metrics move.
 */
export class ObservedCluster {
  readonly cluster: TestCluster;
  readonly prometheus: Prometheus;
  private readonly providers: ObservedProviders;
  private readonly clients: { acme: Client; globex: Client; limited: Client; poor: Client };
  private rounds = 0;
  private asked = 0;

  private constructor(parts: { cluster: TestCluster; prometheus: Prometheus; providers: ObservedProviders; clients: ObservedCluster['clients'] }) {
    this.cluster = parts.cluster;
    this.prometheus = parts.prometheus;
    this.providers = parts.providers;
    this.clients = parts.clients;
  }

  static async start({ ruleFiles, ...options }: ObservedClusterOptions): Promise<ObservedCluster> {
    const providers = await ObservedProviders.start();
    const cluster = await testCluster({ config: providers.configuration(), ...options });
    const client = async (tenant: string, ofTenant: object, ofKey: object = {}): Promise<Client> => {
      await admin(cluster, 'tenants', { id: tenant, ...ofTenant });
      return { tenant, key: String((await admin(cluster, 'keys', { tenant, name: tenant, ...ofKey }))['key']) };
    };
    const clients = {
      acme: await client('acme', { limits: { requests_per_minute: 100_000 } }, { budgets: [{ usd: '100', period: 'month' }] }),
      globex: await client('globex', {}),
      limited: await client('initech', {}, { limits: { requests_per_minute: 6 } }),
      poor: await client('umbrella', { budgets: [{ usd: '0.0001', period: 'month' }] }),
    };
    const targets = Object.fromEntries((['gateway', 'router', 'semantic-cache', 'usage-worker'] as const).map((app) => [app, [new URL(cluster.opsUrl(app)).host]]));
    const prometheus = await Prometheus.start({ targets, ruleFiles });
    return new ObservedCluster({ cluster, prometheus, providers, clients });
  }

  /** One of everything. Resolves when all of it was answered. */
  async round(): Promise<void> {
    const n = ++this.rounds;
    const { acme, globex, limited, poor } = this.clients;
    const thing = THINGS[n % THINGS.length] ?? '';
    await this.similarQuestions(acme, thing);
    await Promise.all([
      ...Array.from({ length: 4 }, (_, i) => this.ask(`Tell me fact ${n * 10 + i}.`, { model: i % 2 === 0 ? 'gpt-4o' : 'gpt-4o-mini', stream: i > 1, key: i % 2 === 0 ? acme.key : globex.key })),
      ...Array.from({ length: 6 }, () => this.ask(`Is it steady? ${++this.asked}`, { model: UNSTEADY, key: globex.key })),
      ...(n % 4 === 0 ? [this.ask(`And if nobody else is there? ${n}`, { model: ALONE, key: globex.key })] : []),
      this.ask('What was it again?', { key: globex.key }),
      this.ask('What was it again?', { key: globex.key, stream: true }),
      this.ask(`Once more, at no known price: ${n}`, { model: UNPRICED, key: acme.key }),
      this.ask(`Do not keep this: ${n}`, { key: acme.key, headers: { 'cache-control': 'no-cache' } }),
      this.ask(`Too often? ${n}`, { key: limited.key }),
      this.ask(`Too dear? ${n}`, { key: poor.key, model: 'gpt-4o' }),
      this.ask('Who is this?', { key: 'sk-deja-nobody' }),
      this.ask('Which model is this?', { key: acme.key, model: 'nobody-has-it' }),
      this.post('embeddings', { model: 'text-embedding-3-small', input: [thing, `${thing} ${n}`] }, acme.key),
    ]);
  }

  async stop(): Promise<void> {
    await this.prometheus.stop();
    await this.cluster.stop({ force: true });
    await this.providers.stop();
  }

  /** A question, the same again, and in other words; where that was answered by similarity, somebody says what they think of it. */
  private async similarQuestions({ tenant, key }: Client, thing: string): Promise<void> {
    await this.ask(`How do I ${thing}?`, { key });
    await this.ask(`How do I ${thing}?`, { key });
    for (const [i, words] of [`How can I ${thing}, please?`, `how do i ${thing}`, `What is the best way to ${thing}?`].entries()) {
      const reply = await this.ask(words, { key, headers: { 'cache-control': 'no-store' } });
      const entry = reply.headers.get('x-cache-entry');
      if (entry !== null && reply.headers.get('x-cache') === 'HIT-SEMANTIC') await this.tell({ tenant, entry, correct: this.rounds % 12 !== 0 || i > 0 });
    }
  }

  /** An answer that is gone by now is nothing to speak of. */
  private async tell(feedback: { tenant: string; entry: string; correct: boolean }): Promise<void> {
    await admin(this.cluster, 'cache/feedback', feedback).catch(() => undefined);
  }

  private ask(content: string, { model = 'gpt-4o-mini', stream = false, key = this.cluster.key, headers = {} }: Asked = {}): Promise<Response> {
    return this.post('chat/completions', { model, stream, messages: [{ role: 'user', content }] }, key, headers);
  }

  private async post(path: string, body: object, key: string, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(`${this.cluster.url}/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers }, body: JSON.stringify(body) });
    await response.text();
    return response;
  }
}

/** One call of the admin API that is to go well, made again while a part of the cluster is not there yet. */
async function admin(cluster: TestCluster, path: string, body: object): Promise<Record<string, unknown>> {
  return eventually(`POST ${path} to be done`, async () => {
    const response = await fetch(`${cluster.url}/admin/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.adminKey}` }, body: JSON.stringify(body) });
    if (response.status === 503) return null;
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }, AGAIN_MS);
}
