import { Inspector, safetyRules, safetySchema } from '@deja/content-safety';
import type { Candidate, ProviderKind } from '@deja/contracts';
import { CHAT } from '../../../apps/gateway/src/chat/chat.endpoint.ts';
import { COMPLETIONS } from '../../../apps/gateway/src/completions/completions.endpoint.ts';
import { EMBEDDINGS } from '../../../apps/gateway/src/embeddings/embeddings.pipeline.ts';
import { AnswerRules } from '../../../apps/gateway/src/guard/answer-rules.ts';
import { MODERATIONS } from '../../../apps/gateway/src/moderations/moderations.endpoint.ts';
import type { ApiRequest, Endpoint, ExchangeContext } from '../../../apps/gateway/src/pipeline/endpoint.ts';
import { RESPONSES } from '../../../apps/gateway/src/responses/responses.endpoint.ts';

const candidate = (kind: ProviderKind, server: string | null, upstreamModel: string): Candidate => ({
  model: 'm',
  deployment: { id: 'p/m', provider: 'p', kind, baseUrl: 'https://provider.test/v1', apiVersion: null, server, upstreamModel, credentials: [], unavailableUntilMs: 0 },
  credential: null,
  upstreamModel,
});

/** One of each language that a provider may speak. */
export const CANDIDATES: readonly Candidate[] = [
  candidate('openai', 'openai', 'gpt-4o-mini'), candidate('openai', 'mistral', 'mistral-small-latest'), candidate('openai', 'ollama', 'llama3'), candidate('openai', 'deepseek', 'deepseek-chat'), candidate('azure-openai', null, 'gpt-4o'),
  candidate('anthropic', null, 'claude-haiku-4-5'), candidate('gemini', null, 'gemini-2.5-flash'),
];

const { rules } = safetyRules(safetySchema.parse({ deny: ['(?i)holiday'], secrets: 'redact', pii: 'redact' }));
const guard = new AnswerRules(new Inspector(rules), () => undefined);

/** @param guarded content rules look at the answer */
export const contextFor = (chosen: Candidate, guarded: boolean): ExchangeContext => ({ candidate: chosen, maxOutputTokens: null, createdS: 1_700_000_000, operationId: '01890000-0000-7000-8000-000000000000', promptTokens: 10, watched: guarded, rules: guarded ? guard : null });

const asked = <R extends ApiRequest>(endpoint: Endpoint<R>, body: object): [endpoint: Endpoint, body: object] => [endpoint as unknown as Endpoint, { model: 'm', ...body }];
const TOOL = { type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { anyOf: [{ type: 'null' }, { type: ['string', 'null'], enum: ['x', null] }] } } }, strict: true } };
const PNG = 'data:image/png;base64,iVBORw0KGgo=';

/** Requests with nearly everything in them, so that a change of one place finds the code that reads it. */
export const ASKED: readonly [endpoint: Endpoint, body: object][] = [
  asked(CHAT, {
    messages: [
      { role: 'system', content: 'Brief.' },
      { role: 'user', content: [{ type: 'text', text: 'See' }, { type: 'image_url', image_url: { url: PNG, detail: 'low' } }, { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } }, { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }] },
      { role: 'assistant', content: null, reasoning_content: 'hm', tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: 'one' },
    ],
    tools: [TOOL], tool_choice: 'auto', stop: ['a'], max_completion_tokens: 50, temperature: 0.5, user: 'u', logit_bias: { 1: 2 }, metadata: { a: 'b' }, response_format: { type: 'json_schema', json_schema: { name: 'n', schema: TOOL.function.parameters } },
  }),
  asked(CHAT, { messages: [{ role: 'user', content: 'Hi' }], stream: true, stream_options: { include_usage: true }, n: 2 }),
  asked(RESPONSES, {
    input: [
      { role: 'user', content: [{ type: 'input_text', text: 'Hi' }, { type: 'input_image', image_url: PNG }] },
      { type: 'reasoning', id: 'r', summary: [{ type: 'summary_text', text: 's' }] },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output: 'x' },
    ],
    instructions: 'i', tools: [{ type: 'function', name: 'f', parameters: {} }], text: { format: { type: 'json_schema', name: 'n', schema: {} } }, reasoning: { effort: 'low' }, max_output_tokens: 50, store: false,
  }),
  asked(RESPONSES, { input: 'Hi', stream: true, store: false }),
  asked(COMPLETIONS, { prompt: ['a', 'b'], stream: true, stream_options: { include_usage: true }, logprobs: 1 }),
  asked(EMBEDDINGS, { input: ['a', 'b'], encoding_format: 'base64', dimensions: 2 }),
  asked(MODERATIONS, { input: [{ type: 'text', text: 'x' }] }),
];
