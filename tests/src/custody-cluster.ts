import { randomBytes } from 'node:crypto';
import { answer, fakeProvider, status, testCluster, type FakeProvider, type Step, type TestCluster } from '@deja/testing';
import OpenAI from 'openai';
import { AdminClient, Answers } from './admin-client.ts';
import { ask, eventually } from './client.ts';
import { RedisTraffic, type Planted } from './secret-search.ts';

export const GATEWAYS = [0, 1];
/** A provider whose name stands everywhere where a value might: what does not hold it was not searched. */
export const MARKED = `marked${randomBytes(12).toString('hex')}`;
/** One provider a subject, each with a model of its name, so that no test is in another's way. */
const PROVIDERS = ['plain', 'changed', 'gone', 'owned', MARKED, 'replaced', 'graced', 'mistyped', 'hurried', 'abrupt'];

/** Two gateways and two routers, and providers that take the values that they were told of and no other. */
export class CustodyCluster {
  readonly answers = new Answers();
  /** Every value there was, by name. */
  readonly planted: Planted = {};
  /** What the providers take; they say 401 to everything else. */
  readonly accepted = new Set<string>();
  readonly cluster: TestCluster;
  readonly admin: AdminClient;
  readonly provider: FakeProvider;
  /** An address of a credential's own, as each resource of Azure has one. */
  readonly resource: FakeProvider;
  readonly traffic: RedisTraffic;
  private questions = 0;

  private constructor(made: Pick<CustodyCluster, 'cluster' | 'provider' | 'resource' | 'traffic' | 'planted' | 'accepted'>) {
    Object.assign(this.planted, made.planted);
    this.accepted = made.accepted;
    this.cluster = made.cluster;
    this.provider = made.provider;
    this.resource = made.resource;
    this.traffic = made.traffic;
    this.admin = new AdminClient(made.cluster, this.answers);
  }

  static async start(): Promise<CustodyCluster> {
    const accepted = new Set<string>();
    const checked = ({ credential }: { credential: string | null }): Step =>
      (credential !== null && accepted.has(credential) ? answer('Yes, of course.') : status(401, {}, { error: { message: `Incorrect API key provided: ${credential}.`, type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }));
    const [provider, resource] = await Promise.all([fakeProvider({ otherwise: checked }), fakeProvider({ otherwise: checked })]);
    const planted = Object.fromEntries(['file', 'everyones', 'azure-file'].map((name) => [name, newValue(name)]));
    for (const value of Object.values(planted)) accepted.add(value);
    const config = configuration({ provider, planted }, ['127.0.0.1/32']);
    const cluster = await testCluster({ config, apps: ['gateway', 'router'], scale: { gateway: 2, router: 2 }, env: { LOG_LEVEL: 'trace' } });
    return new CustodyCluster({ cluster, provider, resource, planted, accepted, traffic: await RedisTraffic.of(cluster) });
  }

  async stop(): Promise<void> {
    this.traffic.stop();
    await this.cluster.stop();
    await Promise.all([this.provider.close(), this.resource.close()]);
  }

  /** A value that the providers take, unless they are told otherwise. */
  value(name: string): string {
    const value = newValue(name);
    this.planted[name] = value;
    this.accepted.add(value);
    return value;
  }

  /** @param allow networks that addresses from the admin API may be in */
  configure(allow: string[]): Promise<void> {
    return this.cluster.configure(configuration(this, allow));
  }

  /** Asks a gateway by the SDK, with the bootstrap key or another. Rejects as the SDK does. */
  ask(model: string, { gateway = 0, key = this.cluster.key } = {}): Promise<OpenAI.Chat.ChatCompletion> {
    const sdk = new OpenAI({ baseURL: `${this.cluster.urls[gateway]}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000, fetch: this.answers.fetch });
    return sdk.chat.completions.create({ model, messages: ask(`Question ${this.questions++} about custody, if you please.`) });
  }

  /** The values that one request to this gateway was made with, in order. Nobody else may ask meanwhile. */
  async usedFor(model: string, options: { gateway?: number; key?: string } = {}): Promise<(string | null)[]> {
    const before = this.provider.requests.length;
    await this.ask(model, options);
    return this.provider.requests.slice(before).map(({ credential }) => credential);
  }

  /** Every gateway has come to use this value, and no other. */
  async whenUsed(model: string, value: string): Promise<void> {
    for (const gateway of GATEWAYS) await eventually(`gateway ${gateway} using it for ${model}`, async () => (await this.usedFor(model, { gateway })).join() === value);
  }

  /** Every gateway has heard of as many values of a credential (`provider/name`). */
  async whenKnown(credential: string, count: number): Promise<void> {
    const model = credential.split('/')[0] ?? '';
    for (const gateway of GATEWAYS) await eventually(`${count} values of ${credential} in gateway ${gateway}`, async () => (await this.admin.versions(model, credential, { gateway })).length === count);
  }

  /** How many values of it are in Postgres. */
  async kept(id: string): Promise<number> {
    return (await this.cluster.sql('select version from router.credential_values where credential = $1', [id])).length;
  }
}

const newValue = (name: string): string => `sk-${name}-${randomBytes(18).toString('hex')}`;

function configuration({ provider, planted }: Pick<CustodyCluster, 'provider' | 'planted'>, allow: string[]): object {
  const openai = (...credentials: object[]): object => ({ kind: 'openai', server: 'openai', base_url: provider.url, credentials });
  return {
    providers: {
      ...Object.fromEntries(PROVIDERS.map((name) => [name, openai()])),
      plain: openai({ name: 'file', value: planted['file'], weight: 0 }),
      owned: openai({ name: 'everyones', value: planted['everyones'] }),
      azure: { kind: 'azure-openai', base_url: provider.origin, credentials: [{ name: 'file', value: planted['azure-file'], weight: 0 }] },
    },
    models: [...PROVIDERS, 'azure'].map((name) => ({ name, deployments: [{ provider: name, model: name }] })),
    outbound: { allow },
    retries: { max_attempts: 4, backoff_ms: [10, 50] },
  };
}
