import { ADMIN_OPERATIONS } from '@deja/admin-api';
import { AnswerGuard, Inspector, safetyRules, safetySchema } from '@deja/content-safety';
import { ConfigError, parseConfig, readEnvironment } from '@deja/config';
import { DejaError } from '@deja/contracts';
import type { z } from 'zod';
import { InvalidArgumentError } from 'commander';
import { strictly } from '../../../apps/gateway/src/admin/admin-body.ts';
import { parseBudget } from '../../../apps/cli/src/notation/budgets.ts';
import { parseLimit } from '../../../apps/cli/src/notation/limits.ts';
import { parseCache, parseValidation } from '../../../apps/cli/src/notation/policies.ts';
import { parseMoment, parseMs, parseSeconds } from '../../../apps/cli/src/notation/times.ts';
import { CliFailure } from '../../../apps/cli/src/failure.ts';
import { pieces } from '../mutate.ts';
import { holds, jsonOf, orRefused, texts, type ParserTarget } from './target.ts';

const CONFIG = `providers:
  openai:
    kind: openai
    base_url: https://api.openai.com/v1
    credentials:
      - { name: a, value: "\${env:KEY}", weight: 2, limits: { requests_per_minute: 500, concurrency: 50 } }
      - { name: b, value: "\${file:/run/secrets/b}" }
  claude: { kind: anthropic, credentials: [{ name: main, value: x }] }
models:
  - name: fast
    strategy: weighted
    deployments: [{ provider: openai, model: gpt-4o-mini, weight: 2 }, { provider: claude, model: claude-haiku-4-5 }]
    fallbacks: [other]
  - { name: other, deployments: [{ provider: claude, model: claude-haiku-4-5 }] }
`;
const MORE = `cache: { semantic: { enabled: true, ttl_s: 3600, verification: strict } }
validation: { max_body_bytes: 1000000, over_output: clamp }
content_safety: { deny: ['(?i)secret', { name: r, pattern: 'a{1,9}b', action: redact, on: both }], pii: redact }
limits: { degraded: open, requests_per_minute: 5 }
budgets: [{ usd: "12.50", period: month, time_zone: Europe/Zurich }]
alerts: [{ name: slow, when: { metric: latency, above: 5, percentile: 95 }, notify: [{ webhook: "https://hooks.example.com/x" }] }]
timeouts: { unary_ms: 1000, idle_ms: 500 }
`;
const YAML = ['a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b, *b]\n', 'models: &m\n  - <<: *m\n', '? {a: b}\n: c\n', '%YAML 1.2\n---\na: !!binary x\n---\nb\n', 'a: |\n  text\n b: >-\n', '{a: {a: {a: {a: 1}}}}'];
const VARIABLES = { KEY: 'planted-config-secret' };

/** A file that cannot be read, as one that is not there. */
const noFile = (): string => {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
};

function config(bytes: Buffer): void {
  const text = bytes.toString('utf8');
  const parsed = parseConfig(text, { openaiApiKeys: [], openaiBaseUrl: null, variables: VARIABLES }, noFile);
  if (parsed.ok) return;
  holds(parsed.errors.length > 0, 'refused without a reason');
  holds(parsed.errors.every(({ line, column }) => line >= 1 && column >= 1), 'a problem without a place');
}

const NAMES = ['PORT', 'HOST', 'REDIS_URL', 'DATABASE_URL', 'DEJA_TRUSTED_PROXIES', 'DEJA_DRAIN_DELAY_S', 'DEJA_GATEWAY_WORKERS', 'DEJA_METRICS_TENANTS', 'DEJA_MASTER_KEY', 'DEJA_ADMIN_KEY', 'DEJA_ADMIN', 'QDRANT_URL', 'OPENAI_BASE_URL', 'LOG_LEVEL'];

function environment(text: string): void {
  for (const name of NAMES) orRefused(() => readEnvironment({ [name]: text }, noFile), ConfigError);
  for (const parse of [parseLimit, parseBudget, parseCache, parseValidation, parseSeconds, parseMs, (given: string) => parseMoment(given, 1_700_000_000_000, -1)]) orRefused<unknown>(() => parse(text), CliFailure, InvalidArgumentError);
}

const SAMPLE = `${'a'.repeat(2000)}${'ab '.repeat(500)}me@example.com 4111 1111 1111 1111\n`;

function rule(pattern: string): void {
  if (pattern === '') return;
  const { rules } = safetyRules(safetySchema.parse({ deny: [{ pattern, action: 'redact', on: 'both' }] }));
  const inspector = new Inspector(rules);
  for (const text of [SAMPLE, pattern]) inspector.inspect(text, 'prompts');
}

const { rules: ALL_RULES } = safetyRules(safetySchema.parse({ deny: [{ pattern: '(?i)(a|b){1,50}c', action: 'redact', on: 'both' }], secrets: 'redact', pii: 'redact' }));

function inspected(text: string, parts: string[]): void {
  const inspector = new Inspector(ALL_RULES);
  const whole = inspector.inspect(text, 'answers');
  const guard = new AnswerGuard(inspector);
  const streamed = parts.map((part) => guard.push(part).text).join('') + guard.flush().text;
  holds(whole.blocked !== null || streamed.length <= text.length + 64 * (1 + text.length), 'a stream grows without bound');
  inspector.inspect(text, 'prompts');
}

const BODIES = [{ name: 'x' }, { id: 'acme', name: 'Acme', limits: { requests_per_minute: 5, models: { m: { concurrency: 1 } } }, budgets: [{ usd: '1', period: 'month', time_zone: 'UTC' }], models: ['m'] }, { provider: 'openai', name: 'a', value: 'sk', weight: 1, base_url: 'https://example.com' }, { name: 'a', when: { metric: 'error_rate', above: 0.1 }, notify: [{ webhook: 'https://hooks.example.com' }] }, { tenant: 'a', user: 'u' }, { yaml: CONFIG }, { model: 'm', tenant: 'a', requires: { region: 'eu' } }, { from: '2026-01-01', to: '2026-02-01T00:00:00Z', limit: '5', cursor: 'x' }];

function adminCall(bytes: Buffer): void {
  const data = jsonOf(bytes);
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return;
  for (const { body, query } of ADMIN_OPERATIONS) for (const schema of [body, query]) if (schema !== null) orRefused<unknown>(() => strictly(schema as z.ZodType, data), DejaError);
}

/** What operators write. */
export const SETTING_PARSERS: ParserTarget[] = [
  { name: 'config', seeds: texts(CONFIG, CONFIG + MORE, MORE, ...YAML), words: ['\n  ', ': ', '- ', '${env:KEY}', '${file:/x}', '${', '&a', '*a', '<<: *a', '!!set', '"', '{', '}', '[', ']', '|', '>', '#', '? ', '---\n', '...\n'], run: config, mostCpuMs: 2000 },
  { name: 'environment', seeds: texts('3000', 'redis://127.0.0.1:6379/1', 'rediss://user:pass@[::1]:6379,host:2', '10.0.0.0/8, ::1', '1.5', 'auto', '1,2', 'requests_per_minute=5', 'gpt-4o:tokens_per_day=1m', '12.50/month/Europe/Zurich', '5m', '2h30m', '2026-01-01T00:00:00Z', '30d', 'exact=on,ttl=5m', 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='), run: (bytes) => environment(bytes.toString('utf8').replaceAll('\0', '')) },
  { name: 'rule', seeds: texts('(?i)project\\s+nightingale', '(a+)+$', '((a{1,30}){1,30}){1,30}', '(x+x+)+y', '[a-z]{2,}@', '\\b\\d{4}(?:[ -]?\\d{4}){3}\\b', '(?P<n>a|b)*?c', '\\p{Greek}+', '(?:a|aa)*b', '^.*.*.*=.*$'), words: ['+', '*', '?', '{1,1000}', '{0,}', '(', ')', '(?:', '(?i)', '[^', ']', '|', '\\p{L}', '\\b', '.*', '$', '(?=', '\\1'], run: (bytes) => rule(bytes.toString('utf8').slice(0, 2000)), mostCpuMs: 2000 },
  { name: 'inspected-text', seeds: texts(SAMPLE, 'sk-proj-abcdefghijklmnopqrstuvwxyz012345 AKIAIOSFODNN7EXAMPLE password=hunter2secret', '-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END PRIVATE KEY-----', 'GB29 NWBK 6016 1331 9268 19, 123-45-6789, +49 30 123456, 192.168.0.1, fe80::1', 'https://user:pass@example.com/'), run: (bytes, random) => inspected(bytes.toString('utf8'), pieces(random, bytes).map((piece) => piece.toString('latin1'))), mostCpuMs: 3000 },
  { name: 'admin-call', seeds: texts(...BODIES), run: adminCall },
];
