import { listed, type ModelLists, type UpstreamModel } from './model-lists.ts';
import type { Modality, ModelRow } from './model-rows.ts';
import { MODELS } from './model-table.ts';

/** What is known of a model besides its price. Source: models.dev, as shipped in data/models.csv. */
export interface ModelFacts {
  /** The most tokens of prompt and answer together; of an embedding model, of one input. Null when the list has none. */
  contextTokens: number | null;
  /** The most tokens of an answer. Of an embedding model the list gives the length of its vector here. */
  maxOutputTokens: number | null;
  reasoning: boolean;
  toolCall: boolean;
  /** Whether answers can be held to a JSON schema. The list is careful: false also where nobody said. */
  structuredOutput: boolean;
  input: readonly Modality[];
  output: readonly Modality[];
}

const TABLE: ModelLists<ModelFacts> = new Map(Object.entries(MODELS).map(([provider, rows]) => [provider, new Map(rows.map((row) => [row[0], factsFrom(row)]))]));

/**
 * Limits and abilities of an upstream model, or null when nobody told: never a guess. Found as `priceOf` finds a price in the
 * shipped table. Of a simulated model nothing is known.
 */
export function modelFacts(o: UpstreamModel): ModelFacts | null {
  return listed(TABLE, o);
}

function factsFrom([, contextTokens, maxOutputTokens, reasoning, toolCall, structuredOutput, input, output]: ModelRow): ModelFacts {
  return Object.freeze({ contextTokens, maxOutputTokens, reasoning, toolCall, structuredOutput, input, output });
}
