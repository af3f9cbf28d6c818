import { hash } from 'node:crypto';
import type { cacheKeys, Eligibility } from '@deja/cache-key';

/** What the text of a request decides of its place in the cache. */
export interface Decided {
  allowed: Eligibility;
  keys: ReturnType<typeof cacheKeys>;
}

/** All that it is decided by. */
export interface DecidedBy {
  tenant: string;
  scope: string;
  endpoint: string;
  model: string;
  flagged: boolean;
  body: { readonly text: string | Buffer };
}

/** Of some 300 bytes each. */
const MOST = 4096;
/** What is longer is rarely asked again, and takes long to hash. */
const MOST_CHARS = 64 * 1024;

/**
 * What was decided lately, by the hash of what it was decided by: nothing that anybody wrote is held. Whoever asks what the cache answers has mostly
 * sent the same bytes as somebody before; to read a prompt's words and to write it in its canonical form is then a good part of all the work.
 */
export class KnownQuestions {
  /** Two generations: where one is full, the other is dropped as a whole, so that nothing has to be taken out one by one. */
  private young = new Map<string, Decided>();
  private old = new Map<string, Decided>();
  private readonly most: number;

  constructor(most: number = MOST) {
    this.most = most;
  }

  /** `decide` is pure: the same `by`, the same decision. */
  of(by: DecidedBy, decide: () => Decided): Decided {
    if (by.body.text.length > MOST_CHARS) return decide();
    const key = keyOf(by);
    const young = this.young.get(key);
    if (young !== undefined) return young;
    const decided = this.old.get(key) ?? decide();
    if (this.young.size >= this.most / 2) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, decided);
    return decided;
  }
}

/** A JSON array keeps the parts apart whatever they hold, and has no line feed of its own. */
const keyOf = ({ tenant, scope, endpoint, model, flagged, body: { text } }: DecidedBy): string => hash('sha256', `${JSON.stringify([tenant, scope, endpoint, model, flagged])}\n${String(text)}`, 'base64url');
