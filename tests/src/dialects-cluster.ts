import { testCluster, type FakeProvider, type TestCluster } from '@deja/testing';

/** The credential of a provider of this name. */
export const credentialOf = (provider: string): string => `sk-${provider}`;

/** Every kind of provider deja speaks to: the model clients name, how it is configured, and the model's name at the provider. */
const DIALECTS = {
  gpt: { kind: 'openai', server: 'openai', upstream: 'gpt-4.1-nano' },
  claude: { kind: 'anthropic', upstream: 'claude-sonnet-4-5' },
  gemini: { kind: 'gemini', upstream: 'gemini-3-pro-preview' },
  'azure-dated': { kind: 'azure-openai', api_version: '2024-10-21', upstream: 'nano-deployment' },
  'azure-v1': { kind: 'azure-openai', upstream: 'nano-deployment' },
  mistral: { kind: 'openai', server: 'mistral', upstream: 'mistral-small-latest' },
  groq: { kind: 'openai', server: 'groq', upstream: 'llama-3.3-70b-versatile' },
  deepseek: { kind: 'openai', server: 'deepseek', upstream: 'deepseek-reasoner' },
  xai: { kind: 'openai', server: 'xai', upstream: 'grok-3-mini' },
} as const;

export type Model = keyof typeof DIALECTS;
export const MODELS = Object.keys(DIALECTS) as Model[];
export const upstreamName = (model: Model): string => DIALECTS[model].upstream;

/** A model with a provider of its own, of the kind of `like`. */
export interface OwnModel {
  name: string;
  like: Model;
  fallbacks?: string[];
}

/** One cluster with a provider of every kind, all at the same fake. The own models are for tests in which a provider fails: what that teaches must not decide another test. */
export function dialectCluster(fake: FakeProvider, own: OwnModel[] = []): Promise<TestCluster> {
  const provider = (name: string, like: Model): object => {
    const { upstream: _upstream, ...kind } = DIALECTS[like];
    return { ...kind, base_url: kind.kind === 'openai' ? fake.url : fake.origin, credentials: [{ name: 'main', value: credentialOf(name) }] };
  };
  const all: OwnModel[] = [...MODELS.map((name) => ({ name, like: name })), ...own];
  return testCluster({
    apps: ['gateway', 'router', 'usage-worker'],
    config: {
      providers: Object.fromEntries(all.map(({ name, like }) => [name, provider(name, like)])),
      models: [
        ...all.map(({ name, like, fallbacks = [] }) => ({ name, deployments: [{ provider: name, model: DIALECTS[like].upstream }], fallbacks })),
        { name: 'either', strategy: 'priority', deployments: [{ provider: 'claude', model: 'claude-sonnet-4-5', priority: 1 }, { provider: 'gpt', model: 'gpt-4.1-nano', priority: 2 }] },
        { name: 'gemini-embedding', deployments: [{ provider: 'gemini', model: 'gemini-embedding-001' }] },
      ],
      retries: { max_attempts: 2, backoff_ms: [1, 2] },
      cache: { semantic: { enabled: false } },
    },
  });
}
