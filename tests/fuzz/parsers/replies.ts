import { DejaError } from '@deja/contracts';
import { recordedText, recordingNames } from '@deja/testing';
import { AttemptFailure, failureOfStatus, retryAfterMs } from '../../../apps/gateway/src/attempt/failure.ts';
import { sseEvent, SseParser, type SseEvent } from '../../../apps/gateway/src/dialects/sse.ts';
import { batchBill, responseBill } from '../../../apps/gateway/src/passthrough/late-bill.ts';
import { lastUsageIn } from '../../../apps/gateway/src/passthrough/reported-usage.ts';
import { readRateLimits } from '../../../apps/gateway/src/quotas/rate-limit-headers.ts';
import { saysSame } from '../../../apps/gateway/src/judge/comparison.ts';
import { outputOf } from '../../../apps/gateway/src/trace/messages.ts';
import { fieldsOf, replyFacts } from '../../../apps/gateway/src/trace/reply-facts.ts';
import { parseJsonBody } from '../../../apps/gateway/src/validate/json-body.ts';
import { pieces } from '../mutate.ts';
import type { Random } from '../random.ts';
import { ASKED, CANDIDATES, contextFor } from './provider-calls.ts';
import { holds, jsonOf, orRefused, same, texts, type ParserTarget } from './target.ts';

/** Long recordings make no odder cases. */
const MOST_CHARS = 12_000;
const short = (pattern: string): Buffer[] => recordingNames(pattern).map((name) => recordedText(name).slice(0, MOST_CHARS)).filter((text) => text.length < MOST_CHARS).map((text) => Buffer.from(text));
const WHOLE = short('*/*.json');
const STREAMS = recordingNames('*/*.chunks.jsonl').map((name) => streamOf(recordedText(name).split('\n').filter((line) => line.trim() !== '')));
const STREAMED = ASKED.filter(([, body]) => 'stream' in body);

/** As the provider would have sent it, cut to what is read in a moment. */
function streamOf(lines: string[]): Buffer {
  const kept = lines.length > 40 ? [...lines.slice(0, 30), ...lines.slice(-10)] : lines;
  const events = kept.filter((line) => line.length < 2000).map((data) => {
    const type = /^\{"type":"([\w.]+)"/.exec(data)?.[1];
    return `${type === undefined ? '' : `event: ${type}\n`}data: ${data}\n\n`;
  });
  return Buffer.from(`${events.join('')}data: [DONE]\n\n`);
}

function events(bytes: Buffer, cut: Buffer[]): void {
  const whole = new SseParser().push(bytes);
  const parser = new SseParser();
  same(cut.flatMap((piece) => parser.push(piece)), whole, 'events depend on how bytes are cut');
  holds(whole.reduce((sum, { data }) => sum + data.length, 0) <= bytes.length, 'more text comes out than went in');
  const [first] = whole;
  if (first !== undefined) same(new SseParser().push(Buffer.from(sseEvent(first.data))), [{ event: null, data: first.data.replaceAll(/\r\n|\r/g, '\n') }], 'an event does not survive being written');
  // A peer that never ends an event must not fill the memory.
  orRefused(() => cut.flatMap((piece) => new SseParser(64).push(piece)), RangeError);
}

function stream(bytes: Buffer, random: Random, cutBytes: (bytes: Buffer) => Buffer[]): void {
  const [endpoint, body] = random.pick(STREAMED);
  const candidate = random.pick(CANDIDATES);
  const guarded = random.once(2);
  const request = endpoint.parse(parseJsonBody(Buffer.from(JSON.stringify({ ...body, stream: true }))));
  const read = (parts: Buffer[]): string | null => {
    const exchange = orRefused(() => endpoint.exchange(request, contextFor(candidate, guarded)), DejaError, AttemptFailure);
    if (exchange === null) return null;
    const reader = exchange.stream();
    const parser = new SseParser();
    let text = '';
    orRefused(() => {
      for (const event of parts.flatMap((part) => parser.push(part))) {
        text += reader.push(event).text;
        if (reader.ended) break;
      }
      text += reader.finish().text;
      reader.kept();
    }, DejaError, AttemptFailure);
    holds(reader.usage === null || Number.isSafeInteger(reader.usage.promptTokens), 'a usage that is no number');
    return text.replace(/("completed_at":)\d+/g, '$1null'); // the second may change between two readings
  };
  const whole = orRefused(() => read([bytes]), RangeError);
  if (whole === null) return;
  same(read(cutBytes(bytes)), whole, 'a stream’s answer depends on how bytes are cut');
  for (const { data } of new SseParser().push(Buffer.from(whole)) satisfies SseEvent[]) holds(data === '[DONE]' || typeof JSON.parse(data) === 'object', 'an event that is no JSON');
}

function whole(bytes: Buffer, random: Random): void {
  const [endpoint, body] = random.pick(ASKED);
  const request = endpoint.parse(parseJsonBody(Buffer.from(JSON.stringify({ ...body, stream: false }))));
  const exchange = orRefused(() => endpoint.exchange(request, contextFor(random.pick(CANDIDATES), random.once(2))), DejaError, AttemptFailure);
  const reply = exchange === null ? null : orRefused(() => exchange.whole(bytes), DejaError, AttemptFailure);
  if (reply !== null && reply.blockedBy === undefined) {
    const answer = fieldsOf(JSON.parse(reply.body.toString('utf8')));
    if (answer !== null) outputOf(endpoint.path, answer);
    holds(reply.usage === null || Number.isSafeInteger(reply.usage.promptTokens), 'a usage that is no number');
  }
  replyFacts(bytes);
  lastUsageIn(bytes.toString('utf8'));
  saysSame(bytes.toString('utf8'));
  const json = fieldsOf(jsonOf(bytes));
  if (json === null) return;
  responseBill(json, 'resp_1');
  batchBill(json, 'batch_1');
}

const LIMIT_HEADERS = ['x-ratelimit-remaining-requests', 'x-ratelimit-limit-requests', 'x-ratelimit-reset-requests', 'anthropic-ratelimit-tokens-remaining', 'anthropic-ratelimit-tokens-reset', 'retry-after', 'retry-after-ms', 'date'];

function failure(bytes: Buffer, random: Random): void {
  const text = bytes.toString('utf8');
  const lines = text.split('\n');
  const headers = Object.fromEntries(LIMIT_HEADERS.map((name, i) => [name, lines[i % lines.length]?.slice(0, 200) ?? '']));
  const { requests, tokens } = readRateLimits(headers, 1_700_000_000_000);
  for (const said of [requests, tokens]) holds(said === null || (Number.isFinite(said.remaining) && (said.resetMs === null || Number.isFinite(said.resetMs))), 'a quota that is no number');
  const waitMs = retryAfterMs(headers, 1_700_000_000_000);
  holds(waitMs === null || (waitMs >= 0 && waitMs <= 3_600_000), `a wait of ${waitMs} ms`);
  holds(failureOfStatus(300 + random.below(300), headers, text) instanceof AttemptFailure, 'a failure that is none');
}

const ERRORS = [{ error: { message: 'Rate limit reached', type: 'requests', param: null, code: 'rate_limit_exceeded' } }, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, { error: { code: 429, message: 'Quota', status: 'RESOURCE_EXHAUSTED', details: [{ '@type': 'x', retryDelay: '3s' }] } }, [{ error: { code: 400 } }]];

/** What providers answer. */
export const REPLY_PARSERS: ParserTarget[] = [
  { name: 'sse', seeds: [...texts('data: a\n\n', 'event: x\r\ndata: {"a":1}\r\ndata: b\r\n\r\n', '\ufeff: comment\rdata:x\r\r', 'id: 1\nretry: 5\ndata\n\n'), ...STREAMS.slice(0, 5)], words: ['data: ', 'data:', 'event: ', '\r', '\n', '\r\n', '\n\n', ':'], run: (bytes, random) => events(bytes, pieces(random, bytes)) },
  { name: 'provider-stream', seeds: STREAMS, run: (bytes, random) => stream(bytes, random, (all) => pieces(random, all)) },
  { name: 'provider-reply', seeds: WHOLE, run: whole },
  { name: 'provider-failure', seeds: texts(...ERRORS, '60\n1m30s\n6ms\n2026-01-01T00:00:00Z\nWed, 21 Oct 2026 07:28:00 GMT\n1.5\n-1\n1e9', 'Too many requests'), words: ['1s', '6m0s', '23h59m59s', '100ms', '-1', 'Wed, 21 Oct 2026 07:28:00 GMT'], run: failure },
];
