import { OnnxEmbedder, type Embedder } from '@deja/similarity';
import type { Logger } from '@deja/telemetry';

const BUILT_IN = 'built-in';
const ONNX = 'onnx:';

export type LocalEmbedder = Embedder | 'unavailable' | 'bought' | null;

/** The embedder that runs in this app in place of the built-in one, as `cache.semantic.embedder` names it. Others are asked by the gateways. */
export class EmbedderChoice {
  private readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  private chosen = BUILT_IN;
  private embedder: OnnxEmbedder | 'unavailable' | 'bought' | null = null;

  constructor(logger: Pick<Logger, 'info' | 'warn' | 'error'>) {
    this.logger = logger;
  }

  /** null: the built-in one. `unavailable` while it is being loaded, and when it cannot be; `bought`: vectors come with the messages. */
  readonly local = (): LocalEmbedder => this.embedder;

  /** Loads it in the background. Until then nothing is found, rather than what another embedder would take for similar. */
  choose(name: string): void {
    if (name === this.chosen) return;
    this.chosen = name;
    const former = this.embedder;
    this.embedder = name.startsWith(ONNX) ? 'unavailable' : name === BUILT_IN ? null : 'bought';
    if (former instanceof OnnxEmbedder) void former.close();
    if (name.startsWith(ONNX)) void this.load(name);
  }

  async close(): Promise<void> {
    const { embedder } = this;
    this.chosen = BUILT_IN;
    this.embedder = null;
    if (embedder instanceof OnnxEmbedder) await embedder.close();
  }

  private async load(name: string): Promise<void> {
    try {
      const embedder = await OnnxEmbedder.open({ folder: name.slice(ONNX.length), logger: this.logger });
      if (this.chosen !== name) return await embedder.close();
      this.embedder = embedder;
      this.logger.info({ embedder: embedder.name }, 'embedder loaded');
    } catch (error) {
      this.logger.error({ err: error, embedder: name }, 'the embedder cannot be had: semantic caching is off until it can');
    }
  }
}
