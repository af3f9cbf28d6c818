import type { Raw } from './client.ts';
import { GATEWAYS, type SemanticCluster } from './semantic-cluster.ts';

/** Each in words of its own, and in other words of form. */
export const QUESTIONS = [
  ['How do I clean a trombone?', 'How can I clean a trombone, please?'],
  ['How do I bake a marmalade cake?', 'How can I bake a marmalade cake, please?'],
  ['How do I fold a paper crane?', 'How can I fold a paper crane, please?'],
] as const;
export const AT_ONCE = 20;

let questions = 0;
/** As many as AT_ONCE, at both gateways, whole and streamed, each its own; half of them near to what is kept. */
export const burst = (stage: SemanticCluster, key: string): Promise<Raw[]> =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, n) => {
    const text = n % 4 < 2 ? QUESTIONS[n % QUESTIONS.length]![1] : `Tell a story of ${++questions} trombones, cakes and cranes.`;
    return stage.ask(text, { key, gateway: n % 2, headers: { 'cache-control': 'no-store' }, more: { stream: n % 3 === 0 } });
  }));

/** Bursts until `during` is over, and one more. */
export async function bursts(stage: SemanticCluster, key: string, during: Promise<unknown>): Promise<Raw[]> {
  let over = false;
  const ended = during.finally(() => (over = true));
  const replies: Raw[] = [];
  while (!over) replies.push(...(await burst(stage, key)));
  await ended;
  return [...replies, ...(await burst(stage, key))];
}

/** What went wrong: answers that are none, and streams that broke off. */
export const failures = (replies: Raw[]): string[] =>
  replies.filter(({ status, headers, text }) => status !== 200 || (headers.get('content-type')?.startsWith('text/event-stream') && !text.trimEnd().endsWith('data: [DONE]'))).map(({ status, text }) => `${status} ${text}`);

/** Has an answer to each question kept. */
export async function keepAll(stage: SemanticCluster, key: string): Promise<void> {
  await Promise.all(QUESTIONS.map(([question]) => stage.kept(question, { key })));
}

/** Resolves when each is found in other words at every gateway; rejects where one is not. */
export async function areServed(stage: SemanticCluster, key: string): Promise<void> {
  for (const [, otherwise] of QUESTIONS) for (const gateway of GATEWAYS) await stage.servedAs(otherwise, 'HIT-SEMANTIC', { key, gateway });
}
