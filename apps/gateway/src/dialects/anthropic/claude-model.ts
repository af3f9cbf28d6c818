/** What a Claude model takes, as far as its name tells. */
export interface ClaudeModel {
  /** `budget`: so many tokens of thinking; `adaptive`: the model decides, steered by effort. */
  thinking: 'none' | 'budget' | 'adaptive';
  /** How thinking is kept off: by saying nothing, by saying so, by asking for the least there is, or, where it cannot be, by little effort. */
  thinkingOff: 'omit' | 'disabled' | 'between_tools' | 'low_effort';
  /** Values of `output_config.effort`. */
  efforts: readonly string[];
  /** Which of `temperature` and `top_p` may be sent. */
  sampling: 'both' | 'one' | 'none';
  /** Whether `output_config.format` and strict tools exist. */
  structuredOutput: boolean;
  /** Whether a tool call can be forced by `tool_choice`. */
  forcedTools: boolean;
  /** Whether the conversation may end with an assistant turn that the model continues. */
  prefill: boolean;
}

/** A model of another maker behind this API: nothing newer than the API of 2025 is tried on it. */
const OTHER: ClaudeModel = { thinking: 'budget', thinkingOff: 'omit', efforts: [], sampling: 'both', structuredOutput: false, forcedTools: true, prefill: true };

const THREE_EFFORTS = ['low', 'medium', 'high'] as const;

/**
 * What the model of this name takes. A Claude whose version cannot be read counts as the newest, because the newest take
 * the fewest parameters. Source: Anthropic's documentation, pages "Thinking", "Effort", "Structured outputs" and the
 * migration guides of Opus 4.7 to 5.5, Sonnet 5.5 and Haiku 5.5.
 * @param name as the provider knows it: `claude-sonnet-4-5-20250929`, `claude-3-7-sonnet-latest`
 */
export function claudeModel(name: string): ClaudeModel {
  if (!/claude/i.test(name)) return OTHER;
  const { family, version } = versionOf(name);
  const frontier = family === 'fable' || family === 'mythos';
  return {
    thinking: version >= 4.06 ? 'adaptive' : version >= 3.07 ? 'budget' : 'none',
    thinkingOff: thinkingOff(family, version, frontier),
    efforts: version >= 4.07 ? [...THREE_EFFORTS, 'xhigh', 'max'] : version >= 4.06 ? [...THREE_EFFORTS, 'max'] : family === 'opus' && version >= 4.05 ? THREE_EFFORTS : [],
    sampling: version >= 4.07 ? 'none' : version >= 4.01 ? 'one' : 'both',
    structuredOutput: version >= 4.05,
    forcedTools: family === 'haiku' || version < (frontier ? 5.01 : 5.05),
    prefill: version < 4.06,
  };
}

function thinkingOff(family: string, version: number, frontier: boolean): ClaudeModel['thinkingOff'] {
  if (frontier) return 'low_effort';
  if (version < 5) return 'omit';
  if (version < 5.05 || family === 'haiku') return 'disabled';
  return family === 'sonnet' ? 'between_tools' : 'low_effort';
}

/** `claude-opus-4-5-20251101` → opus, 4.05; `claude-3-7-sonnet-20250219` → 3.07. A date is no minor version. */
function versionOf(name: string): { family: string; version: number } {
  const match = /claude-(?:([a-z]+)-)?(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)/i.exec(name);
  const family = (match?.[1] ?? /opus|sonnet|haiku|fable|mythos/i.exec(name)?.[0] ?? '').toLowerCase();
  if (!match) return { family, version: Infinity };
  return { family, version: Number(match[2]) + Number(match[3] ?? 0) / 100 };
}
