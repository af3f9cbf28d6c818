import { pick } from './random.ts';

/** Things that somebody asks how to do, again and again: near enough to one another to be looked at, and never the same. */
const VERBS = ['clean', 'repair', 'sell', 'paint', 'store', 'weigh'] as const;
const THINGS = ['trombone', 'wooden canoe', 'garden fence', 'bicycle chain', 'marble statue', 'grand piano', 'leather saddle', 'copper kettle', 'oil lamp', 'brass telescope'] as const;
const KNOWN: readonly string[] = THINGS.flatMap((thing) => VERBS.map((verb) => `How do I ${verb} a ${thing}?`));
export const TOOL = 'tell';

export interface Question {
  /** Names it: its letter says of what kind it is. */
  id: string;
  text: string;
}

/** One that others ask too, the first ones most often. */
export function known(random: () => number): Question {
  const i = Math.floor(KNOWN.length * random() ** 2);
  return { id: `k${i}`, text: KNOWN[i] ?? '' };
}

/** Such a question, as somebody else writes it: the same to who reads, another text. */
export const respelt = ({ id, text }: Question): Question => ({ id, text: text.toLowerCase().replace(/\?$/, '').replace(' ', '  ') });

/** One that nobody has asked before, of a kind. */
export const fresh = (kind: string, n: number): Question => ({ id: `${kind}${n}`, text: `[${kind}${n}] Say something about this.` });

const normal = (text: string): string => text.toLowerCase().replace(/\?$/, '').replaceAll(/\s+/g, ' ').trim();
const IDS = new Map(KNOWN.map((text, i) => [normal(text), `k${i}`]));

/** The name of the question that a provider was asked; null where it is none of ours. */
export function questionIn(body: unknown): string | null {
  const { messages, input } = (body ?? {}) as { messages?: { content?: string }[]; input?: string | string[] };
  const text = messages?.at(-1)?.content ?? [input].flat()[0];
  if (typeof text !== 'string') return null;
  return /^\[([a-z]\d+)\]/.exec(text)?.[1] ?? IDS.get(normal(text)) ?? null;
}

/** Whom the asker says it is: cached answers are the same for all of a tenant, so this is the tenant. */
export const userIn = (body: unknown): string => (body as { user?: string }).user ?? 'nobody';

/** How the answer to a question ends: only who has all of it has this, and it says for whom it was bought. */
export const endOf = (question: string, user: string): string => `End of ${question} for ${user}.`;

/** A bad request, and what is wrong with it. */
export const BAD: readonly [what: string, body: string | object, path?: string][] = [
  ['no JSON', '{"model": "chaos", '],
  ['an array', '[]'],
  ['no model', { messages: [{ role: 'user', content: 'bad' }] }],
  ['an unknown model', { model: 'nobody-has-it', messages: [{ role: 'user', content: 'bad' }] }],
  ['no messages', { model: 'chaos' }],
  ['messages of another type', { model: 'chaos', messages: 'bad' }],
  ['an unknown role', { model: 'chaos', messages: [{ role: 'robot', content: 'bad' }] }],
  ['a temperature that is none', { model: 'chaos', temperature: 99, messages: [{ role: 'user', content: 'bad' }] }],
  ['a stream of another type', { model: 'chaos', stream: 'yes', messages: [{ role: 'user', content: 'bad' }] }],
  ['no input', { model: 'chaos-vectors' }, 'embeddings'],
  ['a path that is none', { model: 'chaos' }, 'nothing/here'],
];

export const badRequest = (random: () => number): readonly [what: string, body: string | object, path?: string] => pick(random, BAD);
