import { countTokens, estimate, tokenizerFor } from '@deja/tokens';

/** What an answer says, for the count where its provider tells no numbers. */
export interface Said {
  /** Contents, refusals, reasoning, names and arguments of tool calls: as they were said, without the JSON around them. */
  texts: readonly string[];
  /** Characters of what was said and is not held: content rules keep it back, or it grew too long. */
  otherChars: number;
}

const CHARS_PER_TOKEN = 4;

/** How many tokens an answer has: its texts counted by the model's tokenizer, what is not held by its length. Never rejects. @param model as its provider calls it */
export async function answerTokens({ texts, otherChars }: Said, model: string): Promise<number> {
  const parts = { texts: texts.filter((text) => text !== ''), messages: 0, images: [], tools: 0 };
  const others = Math.ceil(otherChars / CHARS_PER_TOKEN);
  if (parts.texts.length === 0) return others;
  const tokenizer = tokenizerFor(model);
  return others + (await countTokens(parts, tokenizer).catch(() => estimate(parts, tokenizer)));
}
