import { createHash } from 'node:crypto';
import { DejaError } from '@deja/contracts';
import type { ApiRequest } from '../pipeline/endpoint.ts';

/** What a model has to be able to do, as planning knows it. */
export type Ability = 'tools' | 'vision' | 'audio' | 'json_schema' | 'reasoning';

/** Providers cache prompts from this length on (OpenAI, "Prompt caching": 1,024 tokens; Anthropic's models begin there or later). */
const CACHEABLE_TOKENS = 1024;
/** As much of each text as tells conversations apart. */
const AFFINITY_CHARS = 4096;
const MAX_TAGS = 16;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

type Value = Record<string, unknown>;

/** What this request cannot do without. */
export function abilitiesOf({ body: { value }, parts }: Pick<ApiRequest, 'body' | 'parts'>): Ability[] {
  const abilities: Ability[] = [];
  if (isFilled(value['tools']) || isFilled(value['functions'])) abilities.push('tools');
  if (parts.images.length > 0) abilities.push('vision');
  if ((parts.audioBytes ?? 0) > 0) abilities.push('audio');
  if (memberOf(value['response_format'], 'type') === 'json_schema' || memberOf(memberOf(value['text'], 'format'), 'type') === 'json_schema') abilities.push('json_schema');
  const effort = value['reasoning_effort'] ?? memberOf(value['reasoning'], 'effort');
  if (typeof effort === 'string' && effort !== 'none') abilities.push('reasoning');
  return abilities;
}

/**
 * Names what the turns of one conversation have in common; null where the prompt is too short for a provider to cache it. Made of the client's own
 * `prompt_cache_key` if there is one, else of the instructions and the first thing a user said: a digest, because it is remembered for minutes.
 */
export function affinityKeyOf({ body: { value } }: Pick<ApiRequest, 'body'>, promptTokens: number): string | null {
  if (promptTokens < CACHEABLE_TOKENS) return null;
  const named = value['prompt_cache_key'];
  if (typeof named === 'string' && named !== '') return digestOf(named);
  const turns = value['messages'] ?? value['input'] ?? value['prompt'];
  const first = Array.isArray(turns) ? firstTurns(turns) : [turns];
  const texts = [value['instructions'], ...first].filter((part) => part !== undefined && part !== null);
  return texts.length === 0 ? null : digestOf(texts.map(shortText).join('\0'));
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Up to the first turn of a user; all where there is none among the first. */
function firstTurns(turns: unknown[]): unknown[] {
  const at = turns.findIndex((turn) => memberOf(turn, 'role') === 'user');
  return turns.slice(0, at < 0 ? 1 : at + 1).map((turn) => memberOf(turn, 'content') ?? turn);
}

const shortText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, AFFINITY_CHARS);

/** Where a request may go, as it says itself. */
export interface Requirements {
  region?: string;
  tags?: string[];
}

const badRequirement = (): DejaError =>
  new DejaError('invalid_value', "Invalid value for header 'x-deja-require': expected region=<name>,tag=<name>,… with one region at most.", { param: 'x-deja-require' });

/** `x-deja-require: region=eu,tag=zero-retention`; undefined without the header. Throws a 400 when it is not that. */
export function requirementsOf(header: string | undefined): Requirements | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const pairs = header.split(',').map((pair) => pair.trim().split('='));
  if (pairs.length > MAX_TAGS || pairs.some(([kind, name, ...more]) => (kind !== 'region' && kind !== 'tag') || name === undefined || more.length > 0 || !NAME.test(name))) throw badRequirement();
  const of = (wanted: string): string[] => pairs.flatMap(([kind, name]) => (kind === wanted && name !== undefined ? [name] : []));
  const [region, ...others] = of('region');
  if (others.length > 0) throw badRequirement();
  const tags = of('tag');
  return { ...(region !== undefined && { region }), ...(tags.length > 0 && { tags }) };
}

const isFilled = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Value)[name] : undefined;
}
