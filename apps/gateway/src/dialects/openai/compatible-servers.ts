import type { Deployment } from '@deja/contracts';
import type { ParamRule } from '../params.ts';

export type Endpoint = 'chat/completions' | 'responses' | 'embeddings' | 'completions' | 'moderations' | 'images' | 'audio' | 'files' | 'batches';

/** A parameter this server treats otherwise than OpenAI does. A value that is neutral is left out, whatever the fate: the server may reject the mere name. */
export interface ServerParamRule extends ParamRule {
  /** What the server calls it; with the fate `translated`. The value goes along byte for byte, and before a value the body has under that name itself. */
  to?: string;
}

/** Only what differs from OpenAI; what is not listed passes through. A `ParamTable` for `refusedParam`. */
export type ServerParams = Readonly<Record<string, ServerParamRule>>;

/** What one OpenAI-compatible server does otherwise than OpenAI. Facts only, taken from the provider's own documentation. */
export interface CompatibleServer {
  name: string;
  /** Ends of the base URL's host by which the server is known; `:11434` is a port. */
  hosts: readonly string[];
  endpoints: readonly Endpoint[];
  params: Readonly<Partial<Record<Endpoint, ServerParams>>>;
  /** `ask`: usage comes in a stream when `stream_options.include_usage` asks for it. `unasked`: the server does not take `stream_options`, and sends usage by itself. */
  usageInStreams: 'ask' | 'unasked';
  /** `completion_tokens` leave out the reasoning tokens. */
  reasoningTokensApart: boolean;
  /** Whether the role `developer` is known; if not, it becomes `system`. */
  developerRole: boolean;
  /** The provider's documentation page this row was taken from. */
  source: string;
}

const ALL_ENDPOINTS: readonly Endpoint[] = ['chat/completions', 'responses', 'embeddings', 'completions', 'moderations', 'images', 'audio', 'files', 'batches'];

const is = (neutral: unknown) => (value: unknown) => value === neutral;
const isEmptyObject = (value: unknown): boolean => typeof value === 'object' && value !== null && Object.keys(value).length === 0;

const renamed = (to: string): ServerParamRule => ({ fate: 'translated', to, note: `sent as \`${to}\`` });
const dropped = (note: string, isNeutral?: (value: unknown) => boolean): ServerParamRule => ({ fate: 'dropped', note, ...(isNeutral && { isNeutral }) });
const refused = (note: string, isNeutral: (value: unknown) => boolean = () => false): ServerParamRule => ({ fate: 'refused', note, isNeutral });
const passedUnless = (neutral: unknown, note: string): ServerParamRule => ({ fate: 'passed', note, isNeutral: is(neutral) });

const MAX_TOKENS_ONLY: ServerParams = { max_completion_tokens: renamed('max_tokens') };

/** Bookkeeping that changes nothing about the answer. */
const LABELS: ServerParams = {
  safety_identifier: dropped('the provider keeps no end users apart'),
  store: dropped('the provider stores no completions', is(false)),
  prompt_cache_retention: dropped('the provider decides for itself how long it caches'),
  verbosity: dropped('the provider has no such hint'),
};

const OPENAI: CompatibleServer = {
  name: 'openai',
  hosts: ['api.openai.com'],
  endpoints: ALL_ENDPOINTS,
  params: {},
  usageInStreams: 'ask',
  reasoningTokensApart: false,
  developerRole: true,
  source: 'OpenAI API reference',
};

const AZURE_OPENAI: CompatibleServer = {
  ...OPENAI,
  name: 'azure-openai',
  hosts: ['openai.azure.com', 'services.ai.azure.com', 'cognitiveservices.azure.com'],
  endpoints: ['chat/completions', 'responses', 'embeddings', 'completions', 'images', 'audio', 'files', 'batches'],
  source: 'Azure OpenAI in Microsoft Foundry Models: REST API reference; API version lifecycle',
};

const DEEPSEEK: CompatibleServer = {
  ...OPENAI,
  name: 'deepseek',
  hosts: ['api.deepseek.com'],
  endpoints: ['chat/completions'],
  params: { 'chat/completions': MAX_TOKENS_ONLY },
  developerRole: false,
  source: 'DeepSeek API Docs: Create Chat Completion',
};

const GROQ: CompatibleServer = {
  ...OPENAI,
  name: 'groq',
  hosts: ['api.groq.com'],
  endpoints: ['chat/completions', 'responses', 'embeddings', 'audio', 'files', 'batches'],
  params: {
    'chat/completions': {
      ...LABELS,
      metadata: dropped('Groq does not support it'),
      prompt_cache_key: dropped('Groq caches prompts by itself'),
      logprobs: refused('Groq does not support it', is(false)),
      top_logprobs: refused('Groq does not support it', is(0)),
      logit_bias: refused('Groq does not support it', isEmptyObject),
      n: refused('Groq gives one answer to a request', is(1)),
    },
  },
  source: 'GroqDocs: OpenAI Compatibility; API Reference, Create chat completion',
};

const MISTRAL: CompatibleServer = {
  ...OPENAI,
  name: 'mistral',
  hosts: ['mistral.ai'],
  endpoints: ['chat/completions', 'embeddings', 'moderations', 'audio', 'files'],
  // Mistral refuses every name it does not know (422, `extra_forbidden`).
  params: {
    'chat/completions': {
      ...MAX_TOKENS_ONLY,
      ...LABELS,
      seed: renamed('random_seed'),
      user: dropped('Mistral has no such parameter'),
      service_tier: dropped('Mistral has one tier'),
      logprobs: refused('Mistral gives no log probabilities', is(false)),
      top_logprobs: refused('Mistral gives no log probabilities', is(0)),
      logit_bias: refused('Mistral has no such parameter', isEmptyObject),
    },
    embeddings: { dimensions: renamed('output_dimension'), user: dropped('Mistral has no such parameter') },
  },
  usageInStreams: 'unasked',
  developerRole: false,
  source: 'Mistral AI API: Chat Completion; Embeddings',
};

const XAI: CompatibleServer = {
  ...OPENAI,
  name: 'xai',
  hosts: ['api.x.ai'],
  endpoints: ['chat/completions', 'responses', 'completions', 'images', 'files'],
  params: {
    'chat/completions': {
      presence_penalty: passedUnless(0, 'reasoning models reject it, also when it is 0'),
      frequency_penalty: passedUnless(0, 'reasoning models reject it, also when it is 0'),
    },
  },
  reasoningTokensApart: true,
  source: 'xAI Docs: REST API reference, Chat; Reasoning',
};

const OPENROUTER: CompatibleServer = {
  ...OPENAI,
  name: 'openrouter',
  hosts: ['openrouter.ai'],
  endpoints: ['chat/completions', 'responses', 'completions', 'embeddings'],
  source: 'OpenRouter: API Reference; Usage Accounting; Errors',
};

const OLLAMA: CompatibleServer = {
  ...OPENAI,
  name: 'ollama',
  hosts: [':11434', 'ollama.com'],
  // Newer releases have `responses` as well, without state; translation gives the same to every release.
  endpoints: ['chat/completions', 'completions', 'embeddings'],
  params: {
    'chat/completions': {
      ...MAX_TOKENS_ONLY,
      n: refused('Ollama gives one answer to a request', is(1)),
      logit_bias: refused('Ollama does not support it', isEmptyObject),
    },
    completions: {
      n: refused('Ollama gives one answer to a request', is(1)),
      logit_bias: refused('Ollama does not support it', isEmptyObject),
    },
  },
  developerRole: false,
  source: 'Ollama: OpenAI compatibility',
};

const VLLM: CompatibleServer = {
  ...OPENAI,
  name: 'vllm',
  hosts: [],
  endpoints: ['chat/completions', 'responses', 'completions', 'embeddings', 'audio'],
  // The model's own chat template decides which roles there are, and few know `developer`.
  developerRole: false,
  source: 'vLLM: OpenAI-Compatible Server',
};

const TOGETHER: CompatibleServer = {
  ...OPENAI,
  name: 'together',
  hosts: ['api.together.xyz', 'api.together.ai'],
  endpoints: ['chat/completions', 'completions', 'embeddings', 'images', 'audio'],
  params: { 'chat/completions': MAX_TOKENS_ONLY },
  developerRole: false,
  source: 'Together AI: OpenAI compatibility; Chat Completions reference',
};

const FIREWORKS: CompatibleServer = {
  ...OPENAI,
  name: 'fireworks',
  hosts: ['api.fireworks.ai'],
  endpoints: ['chat/completions', 'responses', 'completions', 'embeddings'],
  usageInStreams: 'unasked',
  developerRole: false,
  source: 'Fireworks AI: OpenAI compatibility',
};

const COHERE: CompatibleServer = {
  ...OPENAI,
  name: 'cohere',
  hosts: ['api.cohere.ai', 'api.cohere.com'],
  endpoints: ['chat/completions', 'embeddings', 'audio'],
  params: {
    'chat/completions': {
      ...MAX_TOKENS_ONLY,
      store: dropped('Cohere does not support it', is(false)),
      metadata: dropped('Cohere does not support it'),
      service_tier: dropped('Cohere does not support it'),
      prediction: dropped('it makes an answer faster, not another one'),
      logit_bias: refused('Cohere does not support it', isEmptyObject),
      top_logprobs: refused('Cohere does not support it', is(0)),
      n: refused('Cohere gives one answer to a request', is(1)),
      modalities: refused('Cohere answers with text only', (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text'),
      audio: refused('Cohere answers with text only'),
      parallel_tool_calls: refused('Cohere decides for itself how many tools it calls at once', is(true)),
    },
    embeddings: { dimensions: refused('Cohere does not support it'), user: dropped('Cohere does not support it') },
  },
  usageInStreams: 'unasked',
  source: 'Cohere: Using Cohere models via the OpenAI SDK (Compatibility API), Supported and Unsupported parameters',
};

/** Any other server. `responses` is left to translation, which needs chat completions only; `server: openai` in deja.yaml makes it native. */
const GENERIC: CompatibleServer = {
  ...OPENAI,
  name: 'generic',
  hosts: [],
  endpoints: ALL_ENDPOINTS.filter((endpoint) => endpoint !== 'responses'),
  source: 'none: taken to be like OpenAI',
};

export const COMPATIBLE_SERVERS: readonly CompatibleServer[] = [OPENAI, AZURE_OPENAI, DEEPSEEK, GROQ, MISTRAL, XAI, OPENROUTER, OLLAMA, VLLM, TOGETHER, FIREWORKS, COHERE, GENERIC];

/** Names that may be written in deja.yaml. */
export const SERVER_NAMES: readonly string[] = COMPATIBLE_SERVERS.map((server) => server.name);

type Served = Pick<Deployment, 'kind' | 'baseUrl'> & { server?: string | null };
/** Deployments stay the same objects as long as a snapshot is in force. */
const servers = new WeakMap<Served, CompatibleServer>();

/** Which server a deployment speaks to: as configured, else by its kind, else by its address. A name nobody knows is as good as none. */
export function serverOf(deployment: Served): CompatibleServer {
  const known = servers.get(deployment);
  if (known !== undefined) return known;
  const server = foundServer(deployment);
  servers.set(deployment, server);
  return server;
}

function foundServer(deployment: Served): CompatibleServer {
  const named = COMPATIBLE_SERVERS.find((server) => server.name === deployment.server);
  if (named) return named;
  if (deployment.kind === 'azure-openai') return AZURE_OPENAI;
  const host = URL.parse(deployment.baseUrl)?.host ?? '';
  return COMPATIBLE_SERVERS.find((server) => server.hosts.some((end) => host === end || host.endsWith(end.startsWith(':') ? end : `.${end}`))) ?? GENERIC;
}

/** @param path below the base URL, such as `chat/completions` or `images/generations` */
export const offers = (server: CompatibleServer, path: string): boolean => server.endpoints.some((endpoint) => path === endpoint || path.startsWith(`${endpoint}/`));

/** What this server does otherwise with the parameters of one endpoint. */
export const paramsOf = (server: CompatibleServer, endpoint: string): ServerParams => server.params[endpoint as Endpoint] ?? {};
