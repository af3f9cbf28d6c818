/** Why a text's vector would say nothing about its meaning. */
export type OutOfDepth = 'no_words' | 'unknown_words' | 'fragments' | 'script' | 'too_long';

/** A vector of length 1, or the reason why this text has none. */
export type Embedding = { vector: Float32Array; outOfDepth: null } | { vector: null; outOfDepth: OutOfDepth };

/** Turns texts into vectors whose cosine says how near their meanings are. */
export interface Embedder {
  /** `id/version`: vectors of different ones must never meet. Part of an index's name. */
  readonly name: string;
  readonly dimensions: number;
  embed(text: string): Embedding | Promise<Embedding>;
}
