export { upperBound } from './bounds.ts';
export { countTokens, isWithin } from './count.ts';
export { estimate } from './estimate.ts';
export { imageSize, type ImageSize } from './image-size.ts';
export { imageTokens } from './image-tokens.ts';
export { encodingFor, tokenizerFor, type Encoding, type Tokenizer } from './models.ts';
export type { PromptImage, PromptParts } from './prompt-parts.ts';
