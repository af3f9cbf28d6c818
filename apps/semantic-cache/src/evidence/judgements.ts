import { hash } from 'node:crypto';
import { normaliseText } from '@deja/cache-key';
import type { SemanticPartition } from '@deja/contracts';
import type { Judgement } from './evidence-log.ts';

/** What judges have said of pairs; of too many, the oldest are forgotten and asked for again. */
export class Judgements {
  private readonly words = new Map<string, boolean>();
  private readonly maxPairs: number;

  constructor(maxPairs = 50_000) {
    this.maxPairs = maxPairs;
  }

  learn({ pair, same }: Judgement): void {
    this.words.delete(pair);
    this.words.set(pair, same);
    if (this.words.size > this.maxPairs) this.words.delete(this.words.keys().next().value ?? '');
  }

  /** undefined: nobody was asked. */
  about(pair: string): boolean | undefined {
    return this.words.get(pair);
  }

  clear(): void {
    this.words.clear();
  }
}

/** Names an entry and a question, without holding the question's text. */
export function pairKey({ tenant, scope, fingerprint }: SemanticPartition, entry: string, text: string): string {
  return hash('sha256', JSON.stringify([tenant, scope, fingerprint, entry, normaliseText(text)]), 'base64url');
}
