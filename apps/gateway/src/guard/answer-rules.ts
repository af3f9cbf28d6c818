import { AnswerGuard, type Inspector } from '@deja/content-safety';
import { AttemptFailure } from '../attempt/failure.ts';

/** Content rules on their way through one answer: what they find is flagged, what they block ends it. */
export class AnswerRules {
  constructor(
    private readonly inspector: Inspector,
    private readonly flag: (rule: string) => void,
  ) {}

  /** The text as the client may see it; throws an AttemptFailure `blocked` when it may not. */
  whole(text: string): string {
    return this.take(this.inspector.inspect(text, 'answers'));
  }

  /** The same for a text that comes in pieces: each call gives what may be sent so far. */
  pieces(): { push(piece: string): string; flush(): string } {
    const guard = new AnswerGuard(this.inspector);
    return { push: (piece) => this.take(guard.push(piece)), flush: () => this.take(guard.flush()) };
  }

  private take({ text, findings, blocked }: { text: string; findings: readonly { rule: string }[]; blocked: string | null }): string {
    for (const { rule } of findings) this.flag(rule);
    if (blocked !== null) throw new AttemptFailure('blocked', { rule: blocked });
    return text;
  }
}
