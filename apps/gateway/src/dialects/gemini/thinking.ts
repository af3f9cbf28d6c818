import { isObject } from './generate-content.ts';
import { generationOf } from './model-name.ts';

export interface ThinkingConfig {
  includeThoughts?: boolean;
  thinkingBudget?: number;
  thinkingLevel?: 'MINIMAL' | 'LOW' | 'MEDIUM' | 'HIGH';
}

/** Tokens, as Google's own OpenAI-compatible endpoint understands an effort ("OpenAI compatibility", section "Thinking"). */
const BUDGETS: Readonly<Record<string, number>> = { minimal: 1024, low: 1024, medium: 8192, high: 24_576, xhigh: 24_576, max: 24_576 };
/** The least that a Pro model of generation 2.5 accepts; it cannot be told not to think. */
const LEAST_PRO_BUDGET = 128;

/**
 * `reasoning_effort` in Gemini's words; null where the model cannot think or the word is unknown. From generation 3 on a
 * level, before a budget ("Gemini thinking"); names that do not tell their generation get a budget, which both take.
 * `none` is the least a model allows: only Flash models can be told not to think at all.
 */
export function thinkingOf(effort: unknown, model: string): ThinkingConfig | null {
  if (typeof effort !== 'string') return null;
  const generation = generationOf(model);
  if (!/^(models\/)?gemini-/.test(model) || (generation !== null && generation < 2.5)) return null;
  const thoughts = effort === 'none' ? {} : { includeThoughts: true };
  if (generation !== null && generation >= 3) {
    const thinkingLevel = levelOf(effort, model, generation);
    return thinkingLevel === null ? null : { ...thoughts, thinkingLevel };
  }
  if (effort === 'none') return { thinkingBudget: model.includes('flash') ? 0 : LEAST_PRO_BUDGET };
  const thinkingBudget = Object.hasOwn(BUDGETS, effort) ? BUDGETS[effort] : undefined;
  return thinkingBudget === undefined ? null : { ...thoughts, thinkingBudget };
}

function levelOf(effort: string, model: string, generation: number): NonNullable<ThinkingConfig['thinkingLevel']> | null {
  const isPro = !model.includes('flash');
  if (effort === 'none' || effort === 'minimal') return isPro ? 'LOW' : 'MINIMAL';
  if (effort === 'low') return 'LOW';
  if (effort === 'medium') return isPro && generation === 3 ? 'HIGH' : 'MEDIUM'; // Gemini 3 Pro knows but low and high
  return effort === 'high' || effort === 'xhigh' || effort === 'max' ? 'HIGH' : null;
}

/**
 * What clients of Google's OpenAI-compatible endpoint write: `extra_body: { google: { thinking_config: {…} } }`.
 * @returns the configuration, and whether anything else stood there that is left out
 */
export function thinkingOfExtraBody(extra: unknown): { config: ThinkingConfig; leftOut: boolean } {
  if (!isObject(extra)) return { config: {}, leftOut: extra !== undefined && extra !== null };
  const google = isObject(extra['google']) ? extra['google'] : {};
  const asked = isObject(google['thinking_config']) ? google['thinking_config'] : {};
  const level = typeof asked['thinking_level'] === 'string' ? asked['thinking_level'].toUpperCase() : null;
  const config: ThinkingConfig = {
    ...(typeof asked['include_thoughts'] === 'boolean' && { includeThoughts: asked['include_thoughts'] }),
    ...(typeof asked['thinking_budget'] === 'number' && { thinkingBudget: asked['thinking_budget'] }),
    ...((level === 'MINIMAL' || level === 'LOW' || level === 'MEDIUM' || level === 'HIGH') && { thinkingLevel: level }),
  };
  const others = Object.keys(extra).some((name) => name !== 'google') || Object.keys(google).some((name) => name !== 'thinking_config');
  return { config, leftOut: others };
}
