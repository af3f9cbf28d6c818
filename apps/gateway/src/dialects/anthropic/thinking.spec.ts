import { claudeModel } from './claude-model.ts';
import type { Turn } from './messages-api.ts';
import { thinkingFields } from './thinking.ts';

const TURNS: Turn[] = [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }];
const fields = (model: string, effort: unknown, more: { maxTokens?: number; forcedTool?: boolean; turns?: Turn[]; thinking?: unknown } = {}): object =>
  thinkingFields({ effort, thinking: undefined, maxTokens: 64_000, forcedTool: false, turns: TURNS, ...more }, claudeModel(model));
const adaptive = { type: 'adaptive', display: 'summarized' };

test.each([
  ['claude-3-7-sonnet-20250219', 'low', { thinking: { type: 'enabled', budget_tokens: 2048 } }],
  ['claude-sonnet-4-20250514', 'high', { thinking: { type: 'enabled', budget_tokens: 24_576 } }],
  ['claude-haiku-4-5', 'minimal', { thinking: { type: 'enabled', budget_tokens: 1024 } }],
  ['claude-opus-4-5-20251101', 'xhigh', { thinking: { type: 'enabled', budget_tokens: 32_000 }, effort: 'high' }],
  ['claude-opus-4-6', 'xhigh', { thinking: adaptive, effort: 'high' }],
  ['claude-sonnet-4-6', 'minimal', { thinking: adaptive, effort: 'low' }],
  ['claude-opus-5', 'xhigh', { thinking: adaptive, effort: 'xhigh' }],
  ['claude-mythos-preview', 'medium', { thinking: adaptive, effort: 'medium' }],
])('%s with effort %s thinks as it can', (model, effort, expected) => {
  expect(fields(model, effort)).toEqual({ ...expected, unavailable: false });
});

test.each([
  ['claude-sonnet-4-5', {}],
  ['claude-opus-4-8', {}],
  ['claude-opus-5', { thinking: { type: 'disabled' } }],
  ['claude-sonnet-5', { thinking: { type: 'disabled' } }],
  ['claude-haiku-5-5', { thinking: { type: 'disabled' } }],
  ['claude-sonnet-5-5', { thinking: { type: 'between_tools' } }],
  ['claude-opus-5-5', { effort: 'low' }],
  ['claude-fable-5', { effort: 'low' }],
])('%s with effort none thinks as little as it can', (model, expected) => {
  expect(fields(model, 'none')).toEqual({ ...expected, unavailable: false });
});

test('a request that says nothing about reasoning leaves it to the model', () => {
  expect(fields('claude-sonnet-4-5', undefined)).toEqual({ unavailable: false });
});

test('a model that cannot think, or an effort nobody knows, is told', () => {
  expect(fields('claude-3-5-haiku-20241022', 'high')).toEqual({ unavailable: true });
  expect(fields('claude-opus-5', 'enormous')).toEqual({ unavailable: true });
});

test('thoughts get at most half of the answer, and none where that is too little', () => {
  expect(fields('claude-sonnet-4-5', 'high', { maxTokens: 4096 })).toMatchObject({ thinking: { budget_tokens: 2048 } });
  expect(fields('claude-sonnet-4-5', 'high', { maxTokens: 1500 })).toEqual({ unavailable: true });
});

test('a forced tool call leaves no room for thoughts', () => {
  expect(fields('claude-sonnet-4-5', 'high', { forcedTool: true })).toEqual({ unavailable: true });
  expect(fields('claude-opus-4-6', 'high', { forcedTool: true })).toEqual({ effort: 'high', unavailable: false });
});

test('a result whose call was not led to by a thought is answered without thinking, since Anthropic refuses to begin there', () => {
  const loop = (...before: string[]): Turn[] => [
    ...TURNS,
    { role: 'assistant', content: [...before.map((type) => ({ type })), { type: 'tool_use' }] },
    { role: 'user', content: [{ type: 'tool_result' }] },
  ];
  expect(fields('claude-sonnet-4-5', 'low', { turns: loop() })).toEqual({ unavailable: true });
  expect(fields('claude-sonnet-4-5', 'low', { turns: loop('thinking') })).toMatchObject({ unavailable: false });
  expect(fields('claude-opus-4-6', 'low', { turns: loop() })).toMatchObject({ thinking: adaptive });
});

test("Anthropic's own thinking parameter passes as it is", () => {
  expect(fields('claude-sonnet-4-5', 'high', { thinking: { type: 'enabled', budget_tokens: 1 } })).toEqual({ thinking: { type: 'enabled', budget_tokens: 1 }, unavailable: false });
});

test.each([
  ['claude-3-opus-20240229', { thinking: 'none', sampling: 'both', structuredOutput: false, prefill: true }],
  ['claude-opus-4-20250514', { thinking: 'budget', sampling: 'both', structuredOutput: false }],
  ['anthropic/claude-sonnet-4.5', { thinking: 'budget', sampling: 'one', structuredOutput: true, prefill: true }],
  ['claude-opus-4-6', { thinking: 'adaptive', sampling: 'one', prefill: false }],
  ['claude-opus-4-7', { thinking: 'adaptive', sampling: 'none', forcedTools: true }],
  ['claude-sonnet-5-5', { sampling: 'none', forcedTools: false }],
  ['claude-haiku-5-5', { sampling: 'none', forcedTools: true }],
  ['claude-tomorrow', { thinking: 'adaptive', sampling: 'none', structuredOutput: true, forcedTools: false, prefill: false }],
  ['kimi-k2', { thinking: 'budget', sampling: 'both', structuredOutput: false }],
])('%s takes what models of its version take', (name, expected) => {
  expect(claudeModel(name)).toMatchObject(expected);
});
