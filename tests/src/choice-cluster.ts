import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { answer, fakeProvider, testCluster, type FakeProvider, type ProviderRequest, type ScriptStep, type Step, type TestCluster } from '@deja/testing';
import OpenAI from 'openai';
import { ask as asMessages, eventually, type Messages } from './client.ts';

/** Providers of these tests: one server plays them all, told apart by their credentials, so that it has the order of all calls. */
const PROVIDERS = ['east', 'west', 'north', 'south', 'faulty', 'shadow', 'ghost', 'outcast'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

/** `sk-east-a`: every provider has the credential `a`, and `east` a second one, `b`, of half its weight. */
const CREDENTIALS: Record<ProviderName, object[]> = Object.fromEntries(PROVIDERS.map((name) => [name, [{ name: 'a', value: `sk-${name}-a`, weight: 2 }]])) as Record<ProviderName, object[]>;
CREDENTIALS.east.push({ name: 'b', value: 'sk-east-b', weight: 1 });

/** Those that only ever get copies. */
const GETS_COPIES = /^(shadow|ghost|outcast)\//;

const providerOf = ({ credential }: ProviderRequest): string => /^sk-(\w+)-/.exec(credential ?? '')?.[1] ?? '';
/** Id of the deployment that a call was made to. */
export const deploymentOf = (request: ProviderRequest): string => `${providerOf(request)}/${(request.body as { model?: string } | undefined)?.model}`;
/** The answer of these providers: which deployment gave it. */
export const says = (more: Step | ((deployment: string) => Step | Promise<Step>) = {}): ScriptStep => async (request) => {
  const deployment = deploymentOf(request);
  return answer(deployment, typeof more === 'function' ? await more(deployment) : more);
};

export interface Asked {
  /** Of the first gateway unless given. */
  url?: string;
  key?: string;
  headers?: Record<string, string>;
  messages?: Messages;
  stream?: boolean;
  /** Further members of the body. */
  more?: object;
}

export interface Served {
  id: string | null;
  text: string;
  /** As the headers say. */
  model: string | null;
  deployment: string | null;
  /** What the call cost, as the headers say. */
  costUsd: string | null;
  /** Deployments that were called for it, in order; without shadows. */
  calls: string[];
}

export interface Explained {
  order: number | null;
  model: string;
  deployment: string;
  credential: string;
  role: string | null;
  reason: string | null;
  trouble: string | null;
  wait_ms: number;
  cost_usd: string | null;
  capability: number | null;
}

/** Those of a role, as they would be tried. */
export const inOrder = (explained: Explained[], role = 'candidate'): Explained[] => explained.filter((one) => one.role === role).toSorted((a, b) => Number(a.order) - Number(b.order));

/** A cluster with two gateways in front of scripted providers. Nothing is cached. */
export class ChoiceStage {
  private uses = 0;

  private constructor(
    readonly cluster: TestCluster,
    readonly provider: FakeProvider,
  ) {}

  static async open(): Promise<ChoiceStage> {
    const provider = await fakeProvider({ otherwise: says() });
    try {
      return new ChoiceStage(await testCluster({ config: configOf(provider, []), scale: { gateway: 2 } }), provider);
    } catch (error) {
      await provider.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.cluster.stop();
    await this.provider.close();
  }

  /** Writes another deja.yaml, and resolves when both gateways have it. */
  async use(models: object[], more: object = {}): Promise<void> {
    this.provider.reset();
    this.provider.otherwise(says());
    const marker = `marker-${++this.uses}`;
    await this.cluster.configure(configOf(this.provider, [...models, { name: marker, deployments: [{ provider: 'east', model: marker }] }], more));
    for (const url of this.cluster.urls) await eventually(`${marker} at ${url}`, () => this.sdk({ url }).models.retrieve(marker).then(() => true, () => false));
  }

  /** A chat completion by the official SDK. What the headers say of who served is held against what the providers saw. Rejects with the SDK's error. */
  async ask(model: string, asked: Asked = {}): Promise<Served> {
    const trace = randomBytes(16).toString('hex');
    const body = { model, messages: asked.messages ?? asMessages('Which one are you?'), ...asked.more };
    const options = { headers: { traceparent: `00-${trace}-${randomBytes(8).toString('hex')}-01`, ...asked.headers } };
    const { completions } = this.sdk(asked).chat;
    const { text, response } = asked.stream === true ? await streamed(completions, body, options) : await whole(completions, body, options);
    const calls = this.provider.requests.filter((request) => String(request.headers['traceparent']).includes(trace)).map(deploymentOf).filter((id) => !GETS_COPIES.test(id));
    const header = (name: string): string | null => response.headers.get(name);
    const deployment = header('x-deja-deployment');
    assert.deepEqual({ deployment, provider: header('x-deja-provider'), attempts: header('x-deja-attempts') }, { deployment: text, provider: text.split('/')[0], attempts: String(calls.length) });
    return { id: header('x-request-id'), text, model: header('x-deja-model'), deployment, costUsd: header('x-deja-cost-usd'), calls };
  }

  /** The same so many times, a few at once: how often each deployment served. */
  async askOften(times: number, model: string, asked: Asked = {}): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    let left = times;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const { deployment } = await this.ask(model, asked);
        counts[String(deployment)] = (counts[String(deployment)] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: 10 }, worker));
    return counts;
  }

  /** Calls are held until they are let go. */
  hold(): { letGo: () => void } {
    const { promise, resolve } = Promise.withResolvers<Step>();
    this.provider.otherwise(says(() => promise));
    return { letGo: () => resolve({}) };
  }

  /** A call of the admin API; fails unless it succeeds. */
  async admin<T>(method: 'GET' | 'POST', path: string, body?: object, url = this.cluster.url): Promise<T> {
    const response = await fetch(`${url}/admin/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.cluster.adminKey}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const reply: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(reply)}`);
    return reply as T;
  }

  /** What would be planned, by the first gateway unless another is given. */
  async explain(question: object, url?: string): Promise<Explained[]> {
    return (await this.admin<{ candidates: Explained[] }>('POST', 'plan/explain', question, url)).candidates;
  }

  private sdk({ url = this.cluster.url, key = this.cluster.key }: Asked = {}): OpenAI {
    return new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 30_000 });
  }
}

type Completions = OpenAI.Chat.Completions;
type Body = { model: string; messages: Messages };

async function whole(completions: Completions, body: Body, options: OpenAI.RequestOptions): Promise<{ text: string; response: Response }> {
  const { data, response } = await completions.create(body, options).withResponse();
  return { text: data.choices[0]?.message.content ?? '', response };
}

async function streamed(completions: Completions, body: Body, options: OpenAI.RequestOptions): Promise<{ text: string; response: Response }> {
  const { data, response } = await completions.create({ ...body, stream: true }, options).withResponse();
  let text = '';
  for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
  return { text, response };
}

function configOf(provider: FakeProvider, models: object[], more: object = {}): object {
  const providers = Object.fromEntries(PROVIDERS.map((name) => [name, { kind: 'openai', server: 'openai', base_url: provider.url, credentials: CREDENTIALS[name] }]));
  return {
    providers,
    models: models.length > 0 ? models : [{ name: 'first', deployments: [{ provider: 'east', model: 'first' }] }],
    cache: { exact: { enabled: false }, semantic: { enabled: false } },
    ...more,
  };
}
