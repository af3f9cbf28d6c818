export type { Embedder, Embedding, OutOfDepth } from './embed/embedder.ts';
export { readModelFiles, type ModelFiles } from './embed/model-files.ts';
export { StaticEmbedder } from './embed/static-embedder.ts';
export { WordPiece } from './embed/wordpiece.ts';
export type { Opinion } from './neural/cross-encoder.ts';
export type { Observation } from './policy/observation.ts';
export { VERDICT_KINDS, type Verdict, type VerdictKind } from './verify/verdict.ts';
