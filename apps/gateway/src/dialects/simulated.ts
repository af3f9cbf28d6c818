import { setTimeout as delay } from 'node:timers/promises';
import type { ChatQuestion } from '../chat/chat-question.ts';
import type { ExchangeContext } from '../pipeline/endpoint.ts';
import type { UpstreamReply } from '../attempt/upstream.ts';
import { SSE_DONE, sseEvent } from './sse.ts';

const WORD_MS = 8;
const QUOTED_CHARS = 200;

/**
 * The built-in provider for those who have no key yet: plain, honest about being none, with token counts of realistic
 * size and a real stream, so that a client can be tried against it. It costs nothing.
 */
export function simulate({ body, stream: asStream }: ChatQuestion, { candidate, promptTokens, createdS, operationId }: ExchangeContext, signal: AbortSignal): UpstreamReply {
  const text = answerTo(body);
  const choiceCount = body.n ?? 1;
  const all = text.match(/\S+\s*/g) ?? [];
  const words = all.slice(0, body.max_completion_tokens ?? body.max_tokens ?? all.length);
  const finish = words.length < all.length ? 'length' : 'stop';
  const head = { id: `chatcmpl-simulated-${operationId}`, created: createdS, model: candidate.upstreamModel };
  const usage = {
    prompt_tokens: promptTokens,
    completion_tokens: words.length * choiceCount,
    total_tokens: promptTokens + words.length * choiceCount,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
  const indexes = Array.from({ length: choiceCount }, (_, i) => i);
  if (asStream) return { status: 200, contentType: 'text/event-stream', body: stream() };
  return { status: 200, contentType: 'application/json', body: whole() };

  async function* whole(): AsyncGenerator<Uint8Array> {
    await delay(WORD_MS * 2, undefined, { signal });
    const choices = indexes.map((index) => ({ index, message: { role: 'assistant', content: words.join(''), refusal: null }, logprobs: null, finish_reason: finish }));
    yield Buffer.from(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }));
  }

  async function* stream(): AsyncGenerator<Uint8Array> {
    const chunk = (fields: object): Buffer => Buffer.from(sseEvent(JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })));
    for (const index of indexes) {
      yield chunk({ choices: [{ index, delta: { role: 'assistant', content: '' }, finish_reason: null }] });
      for (const word of words) {
        await delay(WORD_MS, undefined, { signal });
        yield chunk({ choices: [{ index, delta: { content: word }, finish_reason: null }] });
      }
      yield chunk({ choices: [{ index, delta: {}, finish_reason: finish }] });
    }
    yield chunk({ choices: [], usage });
    yield Buffer.from(sseEvent(SSE_DONE));
  }
}

function answerTo(body: ChatQuestion['body']): string {
  const asked = body.messages.filter(({ role }) => role === 'user').flatMap(({ content }) => textsOf(content)).at(-1) ?? '';
  const quoted = asked.length > QUOTED_CHARS ? `${asked.slice(0, QUOTED_CHARS)}…` : asked;
  return `This is deja's simulated model: no provider is configured, so no real model was asked. Your last message was: "${quoted}". Set OPENAI_API_KEY or write a deja.yaml to get real answers.`;
}

function textsOf(content: ChatQuestion['body']['messages'][number]['content']): string[] {
  if (typeof content === 'string') return [content];
  return (content ?? []).flatMap((part) => (typeof part['text'] === 'string' ? [part['text']] : []));
}
