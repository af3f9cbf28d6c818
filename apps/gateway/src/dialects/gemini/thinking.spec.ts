import { thinkingOf, thinkingOfExtraBody } from './thinking.ts';

test.each([
  ['gemini-2.5-flash', 'low', { includeThoughts: true, thinkingBudget: 1024 }],
  ['gemini-2.5-pro', 'medium', { includeThoughts: true, thinkingBudget: 8192 }],
  ['models/gemini-2.5-pro', 'high', { includeThoughts: true, thinkingBudget: 24_576 }],
  ['gemini-2.5-flash-lite', 'none', { thinkingBudget: 0 }],
  ['gemini-2.5-pro', 'none', { thinkingBudget: 128 }],
  ['gemini-3-pro-preview', 'minimal', { includeThoughts: true, thinkingLevel: 'LOW' }],
  ['gemini-3-pro-preview', 'medium', { includeThoughts: true, thinkingLevel: 'HIGH' }],
  ['gemini-3.1-pro-preview', 'medium', { includeThoughts: true, thinkingLevel: 'MEDIUM' }],
  ['gemini-3-flash-preview', 'minimal', { includeThoughts: true, thinkingLevel: 'MINIMAL' }],
  ['gemini-3-flash-preview', 'none', { thinkingLevel: 'MINIMAL' }],
  ['gemini-3.5-flash', 'xhigh', { includeThoughts: true, thinkingLevel: 'HIGH' }],
  ['gemini-flash-latest', 'low', { includeThoughts: true, thinkingBudget: 1024 }],
  ['gemini-2.0-flash', 'high', null],
  ['gemma-3-27b-it', 'high', null],
  ['gemini-2.5-flash', 'constructor', null],
  ['gemini-3-flash-preview', 'much', null],
  ['gemini-3-flash-preview', null, null],
])('%s thinks with effort %j as its family takes it', (model, effort, config) => {
  expect(thinkingOf(effort, model)).toEqual(config);
});

test("what clients of Google's own OpenAI-compatible endpoint write is understood, and what else they write is noticed", () => {
  const config = { thinking_budget: 800, include_thoughts: true };
  expect(thinkingOfExtraBody({ google: { thinking_config: config } })).toEqual({ config: { thinkingBudget: 800, includeThoughts: true }, leftOut: false });
  expect(thinkingOfExtraBody({ google: { thinking_config: { thinking_level: 'low' }, cached_content: 'cachedContents/1' } })).toEqual({ config: { thinkingLevel: 'LOW' }, leftOut: true });
  expect(thinkingOfExtraBody(undefined)).toEqual({ config: {}, leftOut: false });
});
