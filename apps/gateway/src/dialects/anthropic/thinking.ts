import type { ClaudeModel } from './claude-model.ts';
import { fieldOf, isObject, type JsonObject, type Turn } from './messages-api.ts';

export interface ThinkingFields {
  thinking?: JsonObject;
  /** `output_config.effort`. */
  effort?: string;
  /** Whether thinking was asked for and cannot be had in this request. */
  unavailable: boolean;
}

export interface ThinkingRequest {
  /** OpenAI's `reasoning_effort`. */
  effort: unknown;
  /** Anthropic's own `thinking`, as clients of its models send it. */
  thinking: unknown;
  maxTokens: number;
  /** Whether `tool_choice` forces a call; Anthropic does not think then. */
  forcedTool: boolean;
  turns: readonly Turn[];
}

const EFFORTS = new Set(['minimal', 'low', 'medium', 'high', 'xhigh', 'max']);
const LEAST_BUDGET = 1024;
const BUDGETS: Record<string, number> = { minimal: 1024, low: 2048, medium: 8192, high: 24_576 };
const LARGEST_BUDGET = 32_768;

/**
 * OpenAI's `reasoning_effort` as Anthropic's thinking. Models that think adaptively are steered by effort; older ones get a
 * budget of tokens, at most half of what the answer may have, because thoughts count towards `max_tokens`.
 * Source: Anthropic, "Thinking", "Effort" and "Extended thinking".
 */
export function thinkingFields(request: ThinkingRequest, model: ClaudeModel): ThinkingFields {
  const { effort: asked } = request;
  const effort = typeof asked === 'string' && EFFORTS.has(asked) ? supportedEffort(asked, model) : undefined;
  const withEffort = effort === undefined ? {} : { effort };
  if (isObject(request.thinking)) return { thinking: request.thinking, ...withEffort, unavailable: false };
  if (asked === undefined || asked === null) return { unavailable: false };
  if (asked === 'none') return { ...withoutThinking(model), unavailable: false };
  if (typeof asked !== 'string' || !EFFORTS.has(asked) || model.thinking === 'none') return { unavailable: true };
  if (model.thinking === 'adaptive') {
    // Newer models leave their thoughts out unless asked for them.
    return { ...(!request.forcedTool && { thinking: { type: 'adaptive', display: 'summarized' } }), ...withEffort, unavailable: false };
  }
  if (request.forcedTool || request.maxTokens < 2 * LEAST_BUDGET || mustGoOnWithoutThinking(request.turns)) return { ...withEffort, unavailable: effort === undefined };
  const budget = Math.max(LEAST_BUDGET, Math.min(BUDGETS[asked] ?? LARGEST_BUDGET, Math.floor(request.maxTokens / 2)));
  return { thinking: { type: 'enabled', budget_tokens: budget }, ...withEffort, unavailable: false };
}

/** Whether this request makes the model think, as far as the request says; then it may not be told how to sample. */
export function isThinking(thinking: JsonObject | undefined): boolean {
  const type = fieldOf(thinking, 'type');
  return type === 'enabled' || type === 'adaptive';
}

function supportedEffort(asked: string, model: ClaudeModel): string | undefined {
  if (model.efforts.length === 0) return undefined;
  const effort = asked === 'minimal' ? 'low' : asked;
  return model.efforts.includes(effort) ? effort : 'high';
}

function withoutThinking(model: ClaudeModel): { thinking?: JsonObject; effort?: string } {
  if (model.thinkingOff === 'omit') return {};
  return model.thinkingOff === 'low_effort' ? { effort: 'low' } : { thinking: { type: model.thinkingOff } };
}

/**
 * Models with a budget refuse to begin to think in the middle of a turn: when the client answers a tool call without the
 * thoughts that led to it (most clients do not send `thinking_blocks` back), or has begun the answer itself.
 */
function mustGoOnWithoutThinking(turns: readonly Turn[]): boolean {
  const last = turns.at(-1);
  if (last?.role === 'assistant') return true;
  if (last?.content[0]?.type !== 'tool_result') return false;
  const first = turns.at(-2)?.content[0]?.type;
  return first !== 'thinking' && first !== 'redacted_thinking';
}
