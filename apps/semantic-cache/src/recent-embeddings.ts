import { normaliseText } from '@deja/cache-key';
import type { Embedding, StaticEmbedder } from '@deja/similarity';

/** About 3 MB. At 200 look-ups a second, those of the last ten seconds: most answers are there by then. */
const MOST_TEXTS = 2000;

/** Embeds by the built-in embedder and remembers the last texts: a question is embedded when it is looked up, and again when its answer is stored. */
export class RecentEmbeddings {
  private readonly embedder: Pick<StaticEmbedder, 'embed'>;
  private readonly most: number;
  private readonly known = new Map<string, Embedding>();

  constructor(embedder: Pick<StaticEmbedder, 'embed'>, most = MOST_TEXTS) {
    this.embedder = embedder;
    this.most = most;
  }

  /** What the embedder makes of the normalised text. The vector is shared: it is not to be changed. */
  embed(text: string): Embedding {
    const known = this.known.get(text);
    if (known !== undefined) return known;
    const embedding = this.embedder.embed(normaliseText(text));
    const [oldest] = this.known.size >= this.most ? this.known.keys() : [];
    if (oldest !== undefined) this.known.delete(oldest);
    this.known.set(text, embedding);
    return embedding;
  }
}
