import type { Inspection, Inspector } from './inspector.ts';
import { CONTEXT, SentenceBuffer, type Piece } from './sentence-buffer.ts';

/**
 * Treats one streamed answer. The texts it gives out, put together, are what `inspect` makes of the whole answer, however it was cut
 * into pieces. After a piece that is blocked it gives nothing out any more.
 */
export class AnswerGuard {
  private readonly inspector: Inspector;
  private readonly buffer: SentenceBuffer;
  private readonly reported = new Set<string>();
  /** The end of what went out. */
  private before = '';
  private blocked: string | null = null;

  constructor(inspector: Inspector) {
    this.inspector = inspector;
    this.buffer = new SentenceBuffer(inspector, 'answers');
  }

  /** `text` may be empty while text is held back. `findings` are those not reported before. */
  push(delta: string): Inspection {
    if (!this.inspector.active('answers')) return { text: delta, findings: [], blocked: null };
    return this.blocked === null ? this.treat(this.buffer.push(delta)) : this.silence();
  }

  /** What is left at the end of the answer. */
  flush(): Inspection {
    return this.blocked === null ? this.treat(this.buffer.flush()) : this.silence();
  }

  private treat(piece: Piece): Inspection {
    const { text, findings, blocked } = this.inspector.treat(piece.text, piece.matches, 'answers', this.before);
    this.before = (this.before + text).slice(-CONTEXT);
    const news = findings.filter(({ rule }) => !this.reported.has(rule));
    for (const { rule } of news) this.reported.add(rule);
    this.blocked = blocked;
    return { text: blocked === null ? text : '', findings: news, blocked };
  }

  private silence(): Inspection {
    return { text: '', findings: [], blocked: this.blocked };
  }
}
