import { AnswerGuard, type Inspector } from '@deja/content-safety';
import { AttemptFailure } from '../attempt/failure.ts';
import { alsoDecoded, withTexts } from './texts.ts';

/** A text that comes in pieces: each call gives what may be sent so far. */
export interface HeldText {
  push(piece: string): string;
  flush(): string;
}

/** Where servers repeat an answer token by token. */
const TOKEN_BY_TOKEN = new Set(['logprobs', 'prompt_logprobs', 'token_ids', 'prompt_token_ids']);

/** Content rules on their way through one answer: what they find is flagged, what they block ends it. */
export class AnswerRules {
  constructor(
    private readonly inspector: Inspector,
    private readonly flag: (rule: string) => void,
    /** Whether a rule redacts or blocks; otherwise they only watch. */
    private readonly changing = true,
  ) {}

  /** The text as the client may see it; throws an AttemptFailure `blocked` when it may not. */
  whole(text: string): string {
    return alsoDecoded(text, (piece) => this.take(this.inspector.inspect(piece, 'answers')));
  }

  /** The same for every text in a value; the very same value where nothing changes. */
  all<T>(value: T): T {
    return withTexts(value, (text) => this.whole(text));
  }

  /** The fields without what repeats the answer token by token, where a text may be cut in ways that no rule can follow. The very same ones where there is none of it. */
  withoutTokens<T extends object>(fields: T): T {
    if (!this.changing) return fields;
    const found = Object.entries(fields).filter(([name, value]) => TOKEN_BY_TOKEN.has(name) && value !== null && !(Array.isArray(value) && value.length === 0));
    return found.length === 0 ? fields : { ...fields, ...Object.fromEntries(found.map(([name]) => [name, null])) };
  }

  /** The same for a text that comes in pieces. */
  pieces(): HeldText {
    const guard = new AnswerGuard(this.inspector);
    return { push: (piece) => this.take(guard.push(piece)), flush: () => this.take(guard.flush()) };
  }

  private take({ text, findings, blocked }: { text: string; findings: readonly { rule: string }[]; blocked: string | null }): string {
    for (const { rule } of findings) this.flag(rule);
    if (blocked !== null) throw new AttemptFailure('blocked', { rule: blocked });
    return text;
  }
}
