import { readFileSync } from 'node:fs';
import { noSafetyRules } from '@deja/content-safety';
import { describe, expect, test } from '@jest/globals';
import { parseConfig, type ParsedConfig } from './parse-config.ts';

const NOTHING = { openaiApiKeys: [], openaiBaseUrl: null, variables: {} };
const ENVIRONMENT = { ...NOTHING, variables: { OPENAI_API_KEY: 'sk-a, sk-b', ONE: 'sk-one' } };

type Good = Extract<ParsedConfig, { ok: true }>;

function good(text: string | null, environment: Parameters<typeof parseConfig>[1] = ENVIRONMENT, readFile?: (path: string) => string): Good {
  const result = parseConfig(text, environment, readFile);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result;
}

function errors(text: string, readFile?: (path: string) => string): Extract<ParsedConfig, { ok: false }>['errors'] {
  const result = parseConfig(text, ENVIRONMENT, readFile);
  if (result.ok) throw new Error('accepted');
  return result.errors;
}

const SIMULATED = 'models: [{ name: simulated, deployments: [{ provider: simulated, model: x }] }]\nproviders: { simulated: { kind: simulated } }\n';
const PROVIDER = 'providers:\n  local: { kind: openai, base_url: "http://localhost:1/v1" }\n';

describe('deja.yaml', () => {
  test('becomes a complete configuration, with the defaults that were decided', () => {
    const { config, warnings } = good(`
providers:
  openai:
    kind: openai
    credentials:
      - { name: a, value: "\${env:OPENAI_API_KEY}", weight: 2, limits: { requests_per_minute: 500 } }
      - { name: b, value: "\${file:/run/b}" }
models:
  - name: small
    deployments:
      - { provider: openai, model: gpt-4o-mini, weight: 3 }
    fallbacks: [big]
  - { name: big, strategy: priority, deployments: [{ provider: openai, model: gpt-4o, priority: 2 }] }
prices:
  gpt-4o-mini: { input_usd_per_million: 0.15, cached_input_usd_per_million: 0.075, output_usd_per_million: 0.60 }
  openai/gpt-4o: { input_usd_per_million: 2.5, output_usd_per_million: 10 }
`, ENVIRONMENT, () => 'sk-file\n');
    expect(warnings).toEqual([]);
    expect(config.providers).toMatchObject([{ name: 'openai', kind: 'openai', baseUrl: 'https://api.openai.com/v1', apiVersion: null }]);
    expect(config.providers[0]!.credentials.map((c) => [c.id, c.value.reveal(), c.weight, c.limits])).toEqual([
      ['openai/a-1', 'sk-a', 2, { requests_per_minute: 500 }],
      ['openai/a-2', 'sk-b', 2, { requests_per_minute: 500 }],
      ['openai/b', 'sk-file', 1, {}],
    ]);
    expect(config.models).toEqual([
      { name: 'small', strategy: 'weighted', deployments: [{ provider: 'openai', upstreamModel: 'gpt-4o-mini', weight: 3, priority: 1 }], fallbacks: ['big'] },
      { name: 'big', strategy: 'priority', deployments: [{ provider: 'openai', upstreamModel: 'gpt-4o', weight: 1, priority: 2 }], fallbacks: [] },
    ]);
    expect(config.settings).toEqual({
      timeouts: { connect_ms: 2000, first_byte_ms: 30_000, idle_ms: 30_000, total_ms: 600_000, unary_ms: 30_000 },
      retries: { max_attempts: 4, backoff_ms: [100, 2000], budget: 0.2 },
      breaker: { window_s: 10, min_failures: 5, error_rate: 0.5, pause_ms: [5000, 60_000] },
      stale_ok_s: 60,
      outbound: { allow: [] },
      limits: { global: {}, per_tenant: {}, per_key: {}, per_user: {}, degraded: 'local_share' },
      budgets: { global: [], per_tenant: [], per_key: [], per_user: [] },
      validation: { max_body_bytes: 10_485_760, max_messages: 1000, max_input_tokens: 128_000, max_output_tokens: 16_384, over_output: 'refuse' },
      streams: { keep_alive_ms: 0 },
      content_safety: noSafetyRules(),
      cache: {
        scope: 'tenant',
        exact: { enabled: true, ttl_s: 300 },
        semantic: {
          enabled: true, ttl_s: 3600, embedder: 'built-in', verification: 'strict', max_wrong_rate: 0.01, max_wrong_rates: {},
          audit: { share: 0.02, max_per_hour: 60 }, judge: null, max_entries_per_tenant: 50_000, max_bytes_per_tenant: 268_435_456,
        },
        pad_hits_ms: 0,
      },
      prices: {
        'gpt-4o-mini': { input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000, longContext: null },
        'openai/gpt-4o': { input: 2_500_000_000, cachedInput: 2_500_000_000, cacheWrite: 2_500_000_000, output: 10_000_000_000, longContext: null },
      },
      capture: 'full',
      request_log: { retention_days: 30, search: false },
      ledger: { retention_days: 400, minutes_retention_days: 8, queue_max_bytes: 536_870_912, spool_max_bytes: 4_294_967_296, capture_spool_max_bytes: 1_073_741_824 },
      capability: {},
    });
  });

  test('without a file, or one that names no provider, OPENAI_API_KEY makes a pool that serves every name', () => {
    for (const text of [null, 'limits:\n']) {
      const { config } = good(text, { ...NOTHING, openaiApiKeys: ['sk-a', 'sk-b'], openaiBaseUrl: 'http://llm:8080/v1/' });
      expect(config.providers).toMatchObject([{ name: 'openai', kind: 'openai', baseUrl: 'http://llm:8080/v1', credentials: [{ id: 'openai/main-1' }, { id: 'openai/main-2' }] }]);
      expect(config.models).toMatchObject([{ name: '*', deployments: [{ provider: 'openai', upstreamModel: '*' }] }]);
    }
    expect(good(null, { ...NOTHING, openaiApiKeys: ['sk-a'] }).config.providers[0]).toMatchObject({ baseUrl: 'https://api.openai.com/v1', credentials: [{ id: 'openai/main' }] });
  });

  test('absent, and no key either: the model "simulated" of the built-in provider', () => {
    expect(good(null, NOTHING).config).toMatchObject({
      providers: [{ name: 'simulated', kind: 'simulated', credentials: [] }],
      models: [{ name: 'simulated', deployments: [{ provider: 'simulated', upstreamModel: 'simulated' }] }],
    });
  });

  test('is refused with every problem at once, each with its place and what to write instead', () => {
    const found = errors(`providers:
  openai:
    kind: opnai
    credentials:
      - { name: a, value: "\${env:NOPE}", wieght: 3 }
modles: []
timeouts: { connect_ms: 1.5, idle_ms: fast, unary_ms: 0 }
cache: { exact: { enabled: maybe } }
`);
    expect(found).toEqual([
      { path: 'providers.openai.kind', line: 3, column: 5, message: 'must be one of openai, azure-openai, anthropic, gemini, simulated (did you mean "openai"?)' },
      { path: 'providers.openai.credentials[0].value', line: 5, column: 20, message: 'the environment variable NOPE is not set: set it, or take ${env:NOPE} out' },
      { path: 'providers.openai.credentials[0].wieght', line: 5, column: 42, message: 'unknown key "wieght" (did you mean "weight"?)' },
      { path: 'modles', line: 6, column: 1, message: 'unknown key "modles" (did you mean "models"?)' },
      { path: 'timeouts.connect_ms', line: 7, column: 13, message: 'must be a whole number, but it is a number with a fraction' },
      { path: 'timeouts.idle_ms', line: 7, column: 30, message: 'must be a number, but it is text' },
      { path: 'timeouts.unary_ms', line: 7, column: 45, message: 'must be at least 1' },
      { path: 'cache.exact.enabled', line: 8, column: 19, message: 'must be true or false, but it is text' },
    ]);
  });

  test('says of a variable that is not set but has a file how to name that file', () => {
    const text = 'providers: { claude: { kind: anthropic, credentials: [{ name: main, value: "${env:CLAUDE_KEY}" }] } }\n';
    const result = parseConfig(text, { ...NOTHING, variables: { CLAUDE_KEY_FILE: '/run/secrets/claude' } });
    expect(result).toMatchObject({ errors: [{ message: 'the environment variable CLAUDE_KEY is not set, but CLAUDE_KEY_FILE is: write ${file:/run/secrets/claude}' }] });
  });

  test('names references that lead nowhere', () => {
    expect(errors(`${PROVIDER}models:
  - name: a
    deployments: [{ provider: locl, model: x }, { provider: local, model: x }, { provider: local, model: x }]
    fallbacks: [b, c, a]
    fallbacks_on: { context_window: [d] }
  - { name: b, candidates: [a, e] }
  - { name: a, deployments: [{ provider: local, model: x }] }
`).map(({ path, line, message }) => [path, line, message])).toEqual([
      ['models[0].deployments[0].provider', 5, 'there is no provider "locl" (did you mean "local"?)'],
      ['models[0].deployments[2]', 5, 'local/x stands twice in this model: give it once, with the sum of the weights'],
      ['models[0].fallbacks[1]', 6, 'there is no model "c": write one of "a", "b"'],
      ['models[0].fallbacks[2]', 6, '"a" is the model itself: name another one'],
      ['models[0].fallbacks_on.context_window[0]', 7, 'there is no model "d": write one of "a", "b"'],
      ['models[1].candidates[1]', 8, 'there is no model "e": write one of "a", "b"'],
      ['models[2].name', 9, 'the model "a" stands twice: give each name once, with all its deployments'],
    ]);
  });

  test('with a model "*", any name can be fallen back to', () => {
    const { config } = good(`${PROVIDER}models: [{ name: a, deployments: [{ provider: local, model: a }], fallbacks: [anything] }, { name: "*", deployments: [{ provider: local, model: "*" }] }]`);
    expect(config.models[0]?.fallbacks).toEqual(['anything']);
  });

  test.each([
    ['a: [1', 'not valid YAML'],
    ['cache: {}\ncache: {}', 'this key stands twice'],
    ['cache: { exact: {}, semantic: {}, exact: {} }', 'this key stands twice'],
    ['cache: { exact: {}, "exact": {} }', 'this key stands twice'],
    ['cache:\n\tscope: key', 'a tab cannot indent YAML'],
    ['- a', 'must be a map of keys and values, but it is a list'],
    ['just text', 'must be a map of keys and values, but it is text'],
    ['cache: *nowhere', 'nowhere'],
    ['providers: { "a/b": { kind: simulated } }', 'write a name of letters'],
    ['providers: { a: { kind: anthropic } }', 'credentials: [{ name: main, value: "${env:ANTHROPIC_API_KEY}" }]'],
    ['providers: { a: { kind: azure-openai } }', 'base_url is missing: write the resource'],
    ['providers: { a: { kind: anthropic, server: groq, credentials: [{ name: x, value: k }] } }', 'kind anthropic is none: take it out'],
    ['providers: { a: { kind: openai, server: grok, base_url: "http://h" } }', 'must be one of openai, deepseek, groq'],
    ['models: [{ name: a, deployments: [{ provider: simulated, model: x }] }]\ncontent_safety: { moderation: { model: omni } }', 'there is no model "omni"'],
    ['content_safety: { deny: [{ name: x, pattern: y, actoin: block }] }', 'unknown key "actoin" (did you mean "action"?)'],
    ['providers: { a: { kind: openai } }', 'credentials are missing: write credentials:'],
    ['providers: { a: { kind: openai, credentials: } }', 'credentials are missing: write credentials:'],
    ['providers: { a: { kind: openai, base_url: "https://u:p@h/v1" } }', 'must hold neither user nor password'],
    ['providers: { a: { kind: openai, base_url: "https://h/v1?key=1" } }', 'must end before any ?'],
    ['providers: { a: { kind: openai, base_url: "ftp://h" } }', 'must start with https:// or http://'],
    ['providers: { a: { kind: openai, base_url: "h" } }', 'must be a URL'],
    ['providers: { a: { kind: simulated }, b: { kind: simulated } }', 'models are missing: with several providers'],
    ['models: [{ name: a }]', 'deployments are missing'],
    ['models: [{ name: a, deployments: [] }]', 'must not be empty: name at least one deployment'],
    ['models: [{ name: a, deployments: [{ provider: openai, model: x }] }]', 'describe it under providers, or set OPENAI_API_KEY'],
    ['models: [{ name: 7, deployments: [{ provider: simulated, model: x }] }]', 'must be text, but it is a number: write it in quotes'],
    ['retries: { backoff_ms: [5] }', 'must have at least 2 items'],
    ['retries: { backoff_ms: [9, 3] }', 'write [3, 9]'],
    ['breaker: { pause_ms: [9, 3] }', 'the first pause must not be longer than the last: write [3, 9]'],
    ['breaker: { error_rate: 0 }', 'must be at least 0.01'],
    ['retries: { budget: 1.5 }', 'must be at most 1'],
    ['stale_ok_s: -1', 'must be at least 0'],
    ['capability: { gpt-4o: 101 }', 'must be at most 100'],
    ['content_safety: { deny: ["(?<=a)b"] }', 'not an RE2 pattern'],
    ['limits: { per_key: { requests_per_minute: 0 } }', 'must be at least 1'],
    ['limits: { per_user: { models: { simulated: { tokens_per_dya: 5 } } } }', 'unknown key "tokens_per_dya" (did you mean "tokens_per_day"?)'],
    ['limits: { per_tenant: { degraded: share } }', 'must be one of open, closed, local_share'],
    [`${SIMULATED}limits: { global: { models: { simulate: { concurrency: 5 } } } }`, 'there is no model "simulate" (did you mean "simulated"?)'],
    ['limits: { global: { models: { "auto:speed": { concurrency: 5 } } } }', 'write the name without :cost, :speed or :capability'],
    ['budgets: { per_tenant: [{ usd: 5 }] }', 'period is missing: write one of day, week, month, total'],
    ['budgets: { per_tenant: [{ period: day }] }', 'write an amount in US dollars, as "12.50"'],
    ['budgets: { per_tenant: [{ usd: true, period: day }] }', 'write an amount in US dollars, as "12.50"'],
    ['budgets: { per_tenant: [{ usd: 5 USD, period: day }] }', 'write an amount in US dollars, as "12.50"'],
    ['budgets: { per_tenant: [{ usd: -5, period: day }] }', 'write an amount in US dollars, as "12.50"'],
    ['budgets: { per_tenant: [{ usd: "0.0000000001", period: day }] }', 'no finer than a nano-dollar'],
    ['budgets: { global: [{ usd: 5, period: day, time_zone: Europe/Zuerich }] }', 'write an IANA time zone, as "Europe/Zurich"'],
    ['budgets: { global: [{ usd: 5, period: day, time_zone: "+02:00" }] }', 'write an IANA time zone, as "Europe/Zurich"'],
    ['budgets: { per_key: [{ usd: 5, period: day }, { usd: 9, period: day, time_zone: UTC }] }', 'there is another hard budget of this period, time zone and model: keep one of them'],
    ['models: [{ name: __proto__, deployments: [{ provider: simulated, model: x }] }]\nproviders: { simulated: { kind: simulated } }', 'no model can have this name'],
    [`${SIMULATED}budgets: { global: [{ usd: 5, period: day, model: __proto__ }] }`, 'no model can have this name'],
    [`${SIMULATED}budgets: { global: [{ usd: 5, period: day, model: gpt-4o }] }`, 'there is no model "gpt-4o"'],
    ['budgets: { global: [{ usd: 5, period: day, model: "*" }] }', '"*" stands for any name'],
    ['providers: { a: { kind: openai, credentials: [{ name: x, value: "${ENV:Y}" }] } }', 'write the value itself, ${env:NAME} or ${file:/path}'],
    ['providers: { a: { kind: openai, credentials: [{ name: x, value: "," }] } }', 'holds no value between its commas'],
    ['providers: { a: { kind: openai, credentials: [{ name: x, value: k }, { name: x, value: l }] } }', 'is used twice in this provider'],
  ])('%s is refused: %s', (text, message) => {
    expect(errors(text).map((error) => error.message).join('\n')).toContain(message);
  });

  test.each([
    [`${SIMULATED}limits: { per_tenant: { models: { simulated: { concurrency: 1 }, __proto__: { concurrency: 2 } } } }`, 'limits.per_tenant.models.__proto__', 'nothing can have the name __proto__: write another one'],
    [`${SIMULATED}prices: { __proto__: { input_usd_per_million: 1, output_usd_per_million: 1 } }`, 'prices.__proto__', 'nothing can have the name __proto__: write another one'],
    ['providers: { __proto__: { kind: openai } }', 'providers.__proto__', 'nothing can have the name __proto__: write another one'],
    [`${SIMULATED}limits: { per_key: { __proto__: { concurrency: 1 } } }`, 'limits.per_key.__proto__', expect.stringContaining('unknown key "__proto__"')],
  ])('a name that no map can have is refused once, where it stands, and never left out: %s', (text, path, message) => {
    expect(errors(text)).toMatchObject([{ path, message }]);
  });

  test('limits and budgets of everybody, of each tenant, key and user: amounts become exact text, and what is not said is hard and in UTC', () => {
    const { config, warnings } = good(`${PROVIDER}models: [{ name: small, deployments: [{ provider: local, model: x }] }]
limits:
  global: { requests_per_day: 5, concurrency: 3, degraded: closed }
  per_tenant: { tokens_per_day: 7, models: { small: { requests_per_minute: 2 } } }
  degraded: open
budgets:
  global: [{ usd: 12.50, period: month }, { usd: "1000.000000001", period: month, mode: soft, time_zone: Europe/Zurich, model: small }]
  per_user: [{ usd: 0, period: day, degraded: closed }]
`);
    expect(warnings).toEqual([]);
    expect(config.settings.limits).toEqual({
      global: { requests_per_day: 5, concurrency: 3, degraded: 'closed' },
      per_tenant: { tokens_per_day: 7, models: { small: { requests_per_minute: 2 } } },
      per_key: {},
      per_user: {},
      degraded: 'open',
    });
    expect(config.settings.budgets).toEqual({
      global: [
        { usd: '12.5', period: 'month', mode: 'hard', time_zone: 'UTC' },
        { usd: '1000.000000001', period: 'month', mode: 'soft', time_zone: 'Europe/Zurich', model: 'small' },
      ],
      per_tenant: [],
      per_key: [],
      per_user: [{ usd: '0', period: 'day', mode: 'hard', time_zone: 'UTC', degraded: 'closed' }],
    });
  });

  test('says what is understood but does nothing yet', () => {
    const { warnings } = good(`${PROVIDER}models:
  - name: a
    deployments: [{ provider: local, model: a }]
  - { name: auto, candidates: [a], strategy: cheapest, affinity: true, hedge: { after: p95 } }
limits: { per_key: { requests_per_day: 5, requests_per_minute: 5 } }
content_safety: { pii: redact, moderation: { model: a } }
cache: { scope: global, semantic: { embedder: "local:text-embedding-3-small" } }
`);
    expect(warnings.toSorted()).toEqual([
      'cache.scope (line 9) global has no effect in this version: tenant is used',
      'cache.semantic.embedder (line 9) there is no model "text-embedding-3-small" that provider "local" serves: no similar question will be found',
      'models[1].affinity (line 6) has no effect on a model that chooses among candidates: write it in theirs',
      'models[1].hedge (line 6) has no effect on a model that chooses among candidates: write it in theirs',
      'models[1].strategy (line 6) has no effect on a model that chooses among candidates: write it in theirs',
    ]);
  });

  test.each([
    ['embedder: "local:e"', []],
    ['embedder: built-in', []],
    ['embedder: "onnx:/models/e5"', []],
    ['embedder: "local:f"', ['cache.semantic.embedder (line 4) there is no model "f" that provider "local" serves: no similar question will be found']],
    ['enabled: false, embedder: "local:f"', []],
  ])('an embedder whose vectors nobody sells is told of, and no more: %s', (semantic, expected) => {
    expect(good(`${PROVIDER}models: [{ name: e, deployments: [{ provider: local, model: x }] }]\ncache: { semantic: { ${semantic} } }\n`).warnings).toEqual(expected);
  });

  test('an embedder of a provider that there is not is taken for a mistyped one', () => {
    const found = errors(`${PROVIDER}models: [{ name: e, deployments: [{ provider: local, model: x }] }]\ncache: { semantic: { embedder: "onxx:/models" } }\n`);
    expect(found).toMatchObject([{ path: 'cache.semantic.embedder', message: "there is no provider 'onxx': write built-in, onnx:<folder>, or a provider of this file with a model, as local:text-embedding-3-small" }]);
  });

  test('what is said of the cache of a model that nobody serves is taken for a mistyped name', () => {
    const found = errors(`${PROVIDER}models: [{ name: small, deployments: [{ provider: local, model: x }] }]\ncache: { semantic: { judge: { model: smal }, max_wrong_rates: { smaller: 0.1, small: 0.1 } } }\n`);
    expect(found.map(({ path }) => path)).toEqual(['cache.semantic.judge.model', 'cache.semantic.max_wrong_rates.smaller']);
  });

  test('the examples of docs/config.md, put together, are a good configuration of which everything has an effect', () => {
    const examples = [...readFileSync(new URL('../../../docs/config.md', import.meta.url), 'utf8').matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml);
    const variables = { OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k', GEMINI_API_KEY: 'k', AZURE_OPENAI_API_KEY: 'k', SMTP_PASSWORD: 'k', HOOK_SECRET: 'k' };
    expect(good(examples.join(''), { ...NOTHING, variables }, () => 'k').warnings).toEqual([]);
  });
});
