import tokens from 'gpt-tokenizer/bpeRanks/cl100k_base';
import { packedTokens } from './vocabulary.ts';

/** As packedTokens writes it. In a bundle this text is all that is left of the module: see rolldown.preset.mjs. */
export default packedTokens(tokens);
