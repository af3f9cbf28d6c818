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

/** The same for a verdict that something depends on: one sound result for each text; throws `malformed` when it is less, because that says nothing. */
export function asVerdicts(body: Buffer, count: number): ModerationResult[] {
  const results = asModeration(body);
  const isEach = (value: unknown, type: string): boolean => typeof value === 'object' && value !== null && Object.values(value).every((inner) => typeof inner === type);
  const sound = results.every(({ flagged, categories, category_scores: scores }) => typeof flagged === 'boolean' && isEach(categories, 'boolean') && (scores === undefined || isEach(scores, 'number')));
  if (results.length !== count || !sound) throw new AttemptFailure('malformed');
  return results;
}

/**
 * What a moderation comes to: the categories that were met, and the one that blocks. A category with a threshold blocks from
 * that score on, whatever the model flags; any other one when the model flags it.
 * @param thresholds lowest blocking score by category, 0 to 1
 */
export function verdictOf(results: ModerationResult[], thresholds: Readonly<Record<string, number>>): { flagged: string[]; blocked: string | null } {
  const flagged = new Set<string>();
  let blocked: string | null = null;
  for (const { categories = {}, category_scores: scores = {} } of results) {
    for (const category of new Set([...Object.keys(categories), ...Object.keys(thresholds)])) {
      const threshold = Object.hasOwn(thresholds, category) ? thresholds[category] : undefined;
      const score = scores[category];
      const blocks = threshold === undefined ? categories[category] === true : typeof score === 'number' && score >= threshold;
      if (blocks || categories[category] === true) flagged.add(category);
      if (blocks) blocked ??= category;
    }
  }
  return { flagged: [...flagged], blocked };
}
