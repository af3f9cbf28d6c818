import { randomBytes } from 'node:crypto';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster, type TestClusterOptions } from '@deja/testing';
import OpenAI from 'openai';
import { AdminClient, Answers, type AdminReply, type CallOptions } from './admin-client.ts';
import { ask, eventually } from './client.ts';
import { RedisTraffic, type Planted } from './secret-search.ts';

export const GATEWAYS = [0, 1];
export const MODEL = 'gpt-4o-mini';
/** So soon a change holds everywhere. */
export const IN_FORCE_MS = 1000;
/** Who asks, where a question has a user. */
export const USER = 'someone';

export interface Asking {
  /** 0 for the first. */
  gateway?: number;
  model?: string;
  headers?: Record<string, string>;
}

export interface NewToken {
  role: 'viewer' | 'operator' | 'owner';
  /** All unless given. */
  tenant?: string | null;
}

/** Two gateways and two routers with a ledger, and whatever the admin API has said. */
export class AdminCluster {
  readonly cluster: TestCluster;
  readonly provider: FakeProvider;
  readonly answers = new Answers();
  /** With the root key. */
  readonly admin: AdminClient;
  readonly traffic: RedisTraffic;
  /** Values of credentials, by name. */
  readonly planted: Planted = {};
  #questions = 0;

  private constructor(cluster: TestCluster, provider: FakeProvider, traffic: RedisTraffic) {
    this.cluster = cluster;
    this.provider = provider;
    this.traffic = traffic;
    this.admin = new AdminClient(cluster, this.answers);
  }

  static async start(options: Pick<TestClusterOptions, 'redisUrl' | 'databaseUrl' | 'ownPostgres' | 'env' | 'apps'> = {}): Promise<AdminCluster> {
    const provider = await fakeProvider();
    const config = {
      providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }, { name: 'b', value: 'sk-upstream-b' }] } },
      models: [MODEL, '*'].map((name) => ({ name, deployments: [{ provider: 'fake', model: name }] })),
      // Whether a similar question is a hit is not to depend on chance, nor on what was said of other answers.
      cache: { semantic: { audit: { share: 0 }, max_wrong_rate: 1 } },
    };
    const cluster = await testCluster({ config, apps: ['gateway', 'router', 'usage-worker'], scale: { gateway: GATEWAYS.length, router: 2 }, ...options });
    return new AdminCluster(cluster, provider, await RedisTraffic.of(cluster));
  }

  async stop(): Promise<void> {
    this.traffic.stop();
    await this.cluster.stop();
    await this.provider.close();
  }

  /** A client for whoever has this token. */
  as(token: string): AdminClient {
    return new AdminClient(this.cluster, this.answers, token);
  }

  /** A new admin token. */
  async token({ role, tenant = null }: NewToken): Promise<{ id: string; token: string }> {
    const { id, token } = await this.admin.done('POST', 'admin-tokens', { name: `${role} of ${tenant ?? 'all'}`, role, tenant });
    return { id: String(id), token: String(token) };
  }

  async tenant(id: string, settings: object = {}): Promise<string> {
    await this.admin.done('POST', 'tenants', { id, ...settings });
    return id;
  }

  async key(tenant: string, settings: object = {}): Promise<{ id: string; key: string }> {
    const { id, key } = await this.admin.done('POST', 'keys', { tenant, name: 'test', ...settings });
    return { id: String(id), key: String(key) };
  }

  /** A value for a credential of the admin API, which is to be nowhere in clear. */
  value(name: string): string {
    const value = `sk-${name}-${randomBytes(18).toString('hex')}`;
    this.planted[name] = value;
    return value;
  }

  sdk(apiKey: string, gateway = 0): OpenAI {
    return new OpenAI({ baseURL: `${this.cluster.urls[gateway]}/v1`, apiKey, maxRetries: 0, timeout: 20_000, fetch: this.answers.fetch });
  }

  /** A question that nobody has asked before, by the official SDK. */
  async ask(key: string, { gateway = 0, model = MODEL, headers = {} }: Asking = {}): Promise<Response> {
    const { response } = await this.sdk(key, gateway).chat.completions.create({ model, user: USER, messages: ask(`Question ${this.#questions++} of the admin tests.`) }, { headers }).withResponse();
    return response;
  }

  /** What it comes to: `answered`, or the code of the refusal. */
  outcome(key: string, asking: Asking = {}): Promise<string> {
    return outcomeOf(this.ask(key, asking));
  }

  /** Resolves when every gateway gives this key this outcome; rejects where one does not within a second. */
  async holdsEverywhere(key: string, outcome: string): Promise<void> {
    await Promise.all(GATEWAYS.map(async (gateway) => {
      let seen = '';
      await eventually(`gateway ${gateway} saying ${outcome}`, async () => (seen = await this.outcome(key, { gateway })) === outcome, IN_FORCE_MS).catch((error: unknown) => {
        throw new Error(`${String(error)}; it said ${seen}`);
      });
    }));
  }

  /** Every client key and admin token that an answer has shown so far. */
  shown(): Planted {
    const found = this.answers.texts.join('\n').matchAll(/\b(?:sk-deja|deja-admin)-[0-9A-Za-z]{16}-[0-9A-Za-z]{32}\b/g);
    return Object.fromEntries([...new Set([...found].map(([key]) => key))].map((key) => [key.slice(0, -32), key]));
  }
}

export const outcomeOf = (call: Promise<unknown>): Promise<string> => call.then(() => 'answered', (error: unknown) => (error instanceof OpenAI.APIError && error.status !== undefined ? String(error.code) : String(error)));

/** Status and code of a reply: 200 and null where it went well. */
export const verdict = ({ status, json: { error } }: AdminReply): [number, string | null] => [status, error?.code ?? null];

export const idempotent = (key: string, options: CallOptions = {}): CallOptions => ({ ...options, headers: { ...options.headers, 'idempotency-key': key } });
