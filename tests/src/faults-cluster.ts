import { answer, fakeProvider, status, testCluster, type FakeProvider, type Step, type TestCluster } from '@deja/testing';
import OpenAI from 'openai';
import { ask, eventually, sdk, type Messages } from './client.ts';
import { TIMES, type Form } from './faults-table.ts';

const UPSTREAM_MODEL = 'gpt-4o-mini';
export const WELL = 'All is well.';
/** The provider that always answers. */
export const HEALTHY = 'healthy';
/** Nobody listens there. */
const CLOSED = 'http://127.0.0.1:1/v1';

/** A model of deja.yaml. Its providers are asked in this order; one whose name ends in `-rejecting` says 401, all but `healthy` do what they are told. */
export interface FaultyModel {
  name: string;
  providers: string[];
  /** What else deja.yaml says of it. */
  more?: object;
}

/** What a client got. */
export interface Client {
  status: number;
  text: string;
  provider: string | null;
  attempts: string | null;
  error: { type: string | null; code: string | null; param: string | null } | null;
  retryAfter: string | null;
  shouldRetry: string | null;
}

export interface LedgerAttempt {
  deployment: string;
  credential: string;
  status: number | null;
  outcome: string;
  error_code: string | null;
  usage_source: string;
}

export interface LedgerRows {
  operation: { status: number; outcome: string; error_code: string | null; stream: boolean };
  attempts: LedgerAttempt[];
}

/** For how long something is set aside, ms; a guess may be a fifth shorter or longer. */
export interface Pause {
  forMs: number;
  guessed: boolean;
}

/** What the pool knows of a deployment, and of its credential. */
export interface PoolState {
  calls: number;
  failures: number;
  trouble: string | null;
  credential: string | null;
  /** Of the deployment, then of the credential. */
  pauses: Pause[];
}

/** A moment of which only the bounds are known, Unix ms. */
export interface Between {
  fromMs: number;
  toMs: number;
}

interface Standing {
  trouble: string | null;
  unavailable_until: string | null;
}

export const deploymentOf = (provider: string): string => `${provider}/${UPSTREAM_MODEL}`;
export const credentialIdOf = (provider: string): string => `${provider}/main`;
const valueOf = (provider: string): string => `sk-${provider}`;

/** A cluster in which every provider is a part of one fake, by its credential, and does what it is told. */
export class FaultyCluster {
  private changes = 0;

  private constructor(
    readonly cluster: TestCluster,
    private readonly fake: FakeProvider,
    private readonly faults: Map<string, Step>,
    private readonly config: (more: object, marker: string) => object,
  ) {}

  /** `closed`: providers at whose address nobody listens. */
  static async start(models: FaultyModel[], closed: ReadonlySet<string> = new Set()): Promise<FaultyCluster> {
    const faults = new Map<string, Step>();
    const fake = await fakeProvider({ otherwise: ({ credential }) => (credential?.endsWith('-rejecting') ? status(401) : (faults.get(credential ?? '') ?? answer(WELL))) });
    const providers = [...new Set([HEALTHY, ...models.flatMap((model) => model.providers)])];
    const config = (more: object, marker: string): object => ({
      providers: Object.fromEntries(providers.map((name) => [name, { kind: 'openai', server: 'openai', base_url: closed.has(name) ? CLOSED : fake.url, credentials: [{ name: 'main', value: valueOf(name) }] }])),
      models: [...models, { name: marker, providers: [HEALTHY] }].map(({ name, providers: of, more: also }) => ({ name, strategy: 'priority', deployments: of.map((provider) => ({ provider, model: UPSTREAM_MODEL })), ...also })),
      retries: { max_attempts: TIMES.attempts, backoff_ms: [1, 2] },
      breaker: { min_failures: TIMES.attempts, pause_ms: [TIMES.breakerPauseMs, 60_000] },
      cache: { semantic: { enabled: false } },
      timeouts: { unary_ms: TIMES.unaryMs, first_byte_ms: TIMES.firstByteMs, idle_ms: TIMES.idleMs },
      ...more,
    });
    const cluster = await testCluster({ config: config({}, 'configuration-0'), apps: ['gateway', 'router', 'usage-worker'] });
    return new FaultyCluster(cluster, fake, faults, config);
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    await this.fake.close();
  }

  /** Changes what deja.yaml says besides providers and models; resolves when the gateway has it. */
  async configure(more: object): Promise<void> {
    const marker = `configuration-${++this.changes}`;
    await this.cluster.configure(this.config(more, marker));
    await eventually('the new configuration at the gateway', async () => (await sdk(this.cluster).models.list()).data.some(({ id }) => id === marker));
  }

  /** From now on this provider answers so; without a step, well. */
  tell(provider: string, step?: Step): void {
    if (step === undefined) this.faults.delete(valueOf(provider));
    else this.faults.set(valueOf(provider), step);
  }

  /** Calls that this provider has had. */
  calls(provider: string): number {
    return this.fake.requests.filter(({ credential }) => credential === valueOf(provider)).length;
  }

  question(model: string, stream: boolean): { model: string; messages: Messages; stream: boolean } {
    return { model, messages: ask(`A question to ${model}, please answer it.`), stream };
  }

  /** What the official SDK gets for one question; null when it left as soon as `leaves` held. */
  async ask(model: string, form: Form, leaves: (() => boolean) | null = null): Promise<Client | null> {
    const leaving = new AbortController();
    const left = leaves === null ? null : this.fake.waitFor(leaves).then(() => leaving.abort());
    const { completions } = sdk(this.cluster).chat;
    try {
      if (form === 'whole') {
        const { data, response } = await completions.create({ ...this.question(model, false), stream: false }, { signal: leaving.signal }).withResponse();
        return clientOf(response.status, response.headers, data.choices[0]?.message.content ?? '');
      }
      const { data, response } = await completions.create({ ...this.question(model, true), stream: true }, { signal: leaving.signal }).withResponse();
      let text = '';
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
      return clientOf(response.status, response.headers, text);
    } catch (error) {
      if (error instanceof OpenAI.APIUserAbortError) return null;
      if (!(error instanceof OpenAI.APIError) || error.status === undefined) throw error;
      return clientOf(error.status, error.headers as Headers, '', error);
    } finally {
      await left;
    }
  }

  /** What a client that reads bytes gets of a stream; `first` is called with the first of them. Null when it left then. */
  async read(model: string, first: () => void, leaves = false): Promise<{ raw: string; client: Client } | null> {
    const leaving = new AbortController();
    const body = JSON.stringify(this.question(model, true));
    const response = await fetch(`${this.cluster.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${this.cluster.key}` }, body, signal: leaving.signal });
    let raw = '';
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      raw += piece;
      if (leaves) break;
      first();
    }
    leaving.abort();
    if (leaves) return null;
    const last: unknown = JSON.parse(raw.trimEnd().split('\n\n').at(-1)?.replace('data: ', '') ?? '');
    return { raw, client: clientOf(response.status, response.headers, '', (last as { error?: Client['error'] }).error) };
  }

  /** The first operation of this model in the ledger, as soon as it is there, and its attempts. */
  async ledger(model: string): Promise<LedgerRows> {
    const found = await eventually(`a ledger row of ${model}`, async () => (await this.cluster.sql<LedgerRows['operation'] & { id: string }>('select id, status, outcome, error_code, stream from usage.operations where requested_model = $1 order by received_at', [model]))[0]);
    const { id, ...operation } = found;
    const attempts = await this.cluster.sql<LedgerAttempt & { [column: string]: unknown }>('select deployment, credential, status, outcome, error_code, usage_source from usage.attempts where operation_id = $1 order by n', [id]);
    return { operation, attempts };
  }

  /** What the pool knows, as soon as it is what is expected of it, or after a while; pauses begin at `moment`. */
  async pool(provider: string, expected: PoolState, moment: Between): Promise<PoolState> {
    let state: PoolState | null = null;
    const isAsExpected = async (): Promise<boolean> => {
      const found = await this.admin<Standing & { calls: number; failures: number; credentials: Standing[] }>(`deployments/${deploymentOf(provider)}`);
      const { calls, failures, trouble, credentials } = found;
      const ends = [found, ...credentials].flatMap(({ unavailable_until: until }) => (until === null ? [] : [Date.parse(until)]));
      state = { calls, failures, trouble, credential: credentials[0]?.trouble ?? null, pauses: ends.map((endMs, i) => seenPause(endMs, expected.pauses[i], moment)) };
      return calls === expected.calls && failures === expected.failures && trouble === expected.trouble && state.credential === expected.credential;
    };
    // Whatever else it is, the caller's comparison shows it.
    await eventually('the pool to learn', isAsExpected, 15_000).catch(() => undefined);
    return state ?? Promise.reject(new Error('the admin API says nothing of this deployment'));
  }

  async admin<T>(path: string): Promise<T> {
    const reply = await fetch(`${this.cluster.url}/admin/v1/${path}`, { headers: { authorization: `Bearer ${this.cluster.adminKey}` } });
    if (!reply.ok) throw new Error(`GET ${path}: ${reply.status} ${await reply.text()}`);
    return (await reply.json()) as T;
  }
}

/** The expected pause, if it can be the one that ends then; else the one that it would have to be. */
function seenPause(endMs: number, expected: Pause | undefined, { fromMs, toMs }: Between): Pause {
  const off = expected?.guessed === true ? 0.2 * expected.forMs : 0;
  // Times are whole milliseconds.
  const fits = expected !== undefined && endMs >= fromMs + expected.forMs - off - 2 && endMs <= toMs + expected.forMs + off + 2;
  return fits ? expected : { forMs: endMs - toMs, guessed: false };
}

function clientOf(code: number, headers: Headers, text: string, error: { type?: string | null | undefined; code?: string | null | undefined; param?: string | null | undefined } | null = null): Client {
  return {
    status: code,
    text,
    provider: headers.get('x-deja-provider'),
    attempts: headers.get('x-deja-attempts'),
    error: error && { type: error.type ?? null, code: error.code ?? null, param: error.param ?? null },
    retryAfter: headers.get('retry-after'),
    shouldRetry: headers.get('x-should-retry'),
  };
}
