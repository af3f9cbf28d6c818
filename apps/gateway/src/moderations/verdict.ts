import { AttemptFailure } from '../attempt/failure.ts';
import { parsedReply } from '../reply/parsed-reply.ts';

interface ModerationResult {
  flagged?: unknown;
  categories?: Record<string, unknown>;
  category_scores?: Record<string, unknown>;
}

/** The results of a moderation reply; throws `malformed` when it is none. */
export function asModeration(body: Buffer): ModerationResult[] {
  const { results } = (parsedReply(body) ?? {}) as { results?: unknown };
  if (!Array.isArray(results) || results.some((result) => typeof result !== 'object' || result === null)) throw new AttemptFailure('malformed');
  return results as ModerationResult[];
}

/**
 * What a moderation comes to: categories the model flagged or that passed their threshold, and the one that blocks. With
 * thresholds only those categories block, whatever the model flags; without any, every flagged category does.
 * @param thresholds lowest blocking score by category, 0 to 1
 */
export function verdictOf(results: ModerationResult[], thresholds: Readonly<Record<string, number>>): { flagged: string[]; blocked: string | null } {
  const flagged = new Set<string>();
  let blocked: string | null = null;
  const own = Object.keys(thresholds).length > 0;
  for (const { categories = {}, category_scores: scores = {} } of results) {
    for (const [category, value] of Object.entries(categories)) {
      if (value !== true) continue;
      flagged.add(category);
      if (!own) blocked ??= category;
    }
    for (const [category, threshold] of Object.entries(thresholds)) {
      const score = scores[category];
      if (typeof score !== 'number' || score < threshold) continue;
      flagged.add(category);
      blocked ??= category;
    }
  }
  return { flagged: [...flagged], blocked };
}
