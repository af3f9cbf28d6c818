import { DejaError, ADMIN_TOKEN_PREFIX, CLIENT_KEY_PREFIX, publicIdOf } from '@deja/contracts';
import { z } from 'zod';
import { decodeEntry, decodeMeta } from '../../../apps/gateway/src/cache/entry.ts';
import { answerKeyIn } from '../../../apps/gateway/src/cache/answer-scan.ts';
import { readSpool, spoolText } from '../../../apps/gateway/src/settle/spool-lines.ts';
import { pageOf } from '../../../apps/gateway/src/admin/admin-list.ts';
import { afterOf, isUuid } from '../../../apps/router/src/admin/pages.ts';
import { readPush } from '../../../apps/router/src/push-channel.ts';
import { readVector } from '../../../apps/semantic-cache/src/entries/given-vector.ts';
import { parseAudit, parseFeedback, parseInvalidation, parseJudged, parseLookup, parseSimilar, parseStore, parseWrongRates } from '../../../apps/semantic-cache/src/entries/messages.ts';
import { entryOf, foreignness } from '../../../apps/semantic-cache/src/index/qdrant/payload.ts';
import { readCaptures } from '../../../apps/usage-worker/src/captures/capture-batch.ts';
import { readEvent } from '../../../apps/usage-worker/src/intake/event.ts';
import { cursorAt, placeAt } from '../../../apps/usage-worker/src/queries/cursor.ts';
import { holds, jsonOf, orRefused, same, texts, type ParserTarget } from './target.ts';

const NOW_MS = 1_800_000_000_000;
const ID = '01a31a3c-5c00-7000-8000-000000000001';
const EVENT = { v: 1, kind: 'open', id: ID, tenant: 'default', key: 'k', endpoint: 'chat/completions', requestedModel: 'm', stream: false, user: null, tags: { a: 'b' }, receivedAtMs: NOW_MS, gateway: 'g', estimatedPromptTokens: 5, estimatedCostNanoUsd: '12' };
const SETTLED = { ...EVENT, kind: 'settled', model: 'm', provider: 'p', deployment: 'p/m', credential: 'p/a', status: 200, outcome: 'ok', errorCode: null, cache: 'MISS', cacheReason: null, cacheEntry: null, cacheSimilarity: null, usage: { promptTokens: 1, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 2, reasoningTokens: 0 }, usageSource: 'provider', savedPrice: null, savedMs: null, firstByteMs: 1, durationMs: 2, traceparent: null, attempts: [], flags: [] };
const CAPTURES = { v: 1, exchanges: [{ operation: ID, tenant: 'default', mode: 'full', dataKey: 'dk', request: { sealed: 'AAAA', bytes: 3, truncated: false }, response: null, searchText: 'hello' }] };
const PARTITION = { tenant: 't', scope: 's', fingerprint: 'abcdefghijklmnop' };
const MESSAGES = [{ ...PARTITION, text: 'x', model: 'm', policy: { verification: 'strict', maxWrongRate: 0.01, auditShare: 0.1, judged: false }, vector: { embedder: 'e', values: 'AACAPw==' } }, { ...PARTITION, text: 'x', entry: 'e1', expiresAtMs: NOW_MS, made: { createdAtMs: 1, model: 'm', tags: { a: 'b' } } }, { id: 'i', tenant: null, model: 'm', tag: null, entry: null, beforeMs: 1, madeAtMs: 1 }, { tenant: 't', model: 'm', entry: 'e', kind: 'same', similarity: 1, refused: false, same: true, answers: null }];
const PAYLOAD = { ...PARTITION, entry: 'e', embedder: 'static@1', text: 'x', words: 'w', expires_at: NOW_MS + 1, created_at: 1, added_at: 1, models: ['m'], tags: ['a=b', '__proto__=c'], model: 'm', tagged: true };
const PARSERS = [parseLookup, parseStore, parseInvalidation, parseAudit, parseFeedback, parseJudged, parseWrongRates, parseSimilar];

/** A job of the queue, written by a gateway of another version, or by nobody that is known. */
function job(bytes: Buffer): void {
  const data = jsonOf(bytes);
  const read = readEvent(data, NOW_MS);
  if ('rejected' in read) holds(read.rejected.length < 2000, 'a reason that repeats what came');
  const { captures, rejected } = readCaptures(data, { nowMs: NOW_MS, retentionDays: 30 });
  for (const capture of captures) holds(!JSON.stringify([capture.tenant, capture.words]).includes('\\u0000'), 'a NUL goes on to Postgres');
  holds(rejected.every((reason) => reason.length < 2000), 'a reason that repeats what came');
}

function kept(bytes: Buffer): void {
  const entry = decodeEntry(bytes);
  decodeMeta(bytes);
  if (entry !== null) holds(entry.meta.v === 1, 'an entry of another version');
  const spool = readSpool(bytes.toString('utf8'));
  same(readSpool(spoolText([...spool.entries, ...spool.accepted])).entries, spool.entries, 'a spool is read otherwise when it is written again');
  answerKeyIn(bytes.toString('utf8'));
  readPush(bytes.toString('utf8'));
}

function semantic(bytes: Buffer): void {
  const data = jsonOf(bytes);
  for (const parse of PARSERS) {
    const message = orRefused<unknown>(() => parse(data), DejaError);
    const vector = (message as { vector?: { embedder: string; values: string } } | null)?.vector;
    const read = vector === undefined ? null : readVector(vector);
    holds(read === null || read.values.every(Number.isFinite), 'a vector that is none');
  }
  const found = entryOf(data);
  const reason = foreignness(found, { embedder: 'static@1', tenant: 't', partition: PARTITION, nowMs: NOW_MS });
  holds(reason !== null || (found?.entry.tenant === 't' && found.entry.scope === 's'), 'an entry of another tenant is served');
}

const LIST = [1, 2, 3].map((n) => ({ id: `id-${n}` }));

function cursor(bytes: Buffer): void {
  for (const text of [bytes.toString('utf8'), bytes.toString('base64url')]) {
    const id = orRefused(() => afterOf('keys', text, isUuid), DejaError);
    holds(id === null || isUuid(id), 'an id that is none goes into a query');
    orRefused(() => pageOf('list', LIST, { limit: 2, cursor: text }), DejaError);
    orRefused(() => placeAt('requests', z.tuple([z.number(), z.string()]), text), DejaError);
    publicIdOf(text, CLIENT_KEY_PREFIX);
    publicIdOf(text, ADMIN_TOKEN_PREFIX);
  }
}

/** What lies in Redis and Qdrant, and what callers of the admin API hand back. */
export const MESSAGE_PARSERS: ParserTarget[] = [
  { name: 'queue-job', seeds: texts(EVENT, SETTLED, CAPTURES, { ...SETTLED, attempts: [{ n: 1, id: ID, provider: 'p', deployment: 'd', credential: null, model: 'm', status: 200, outcome: 'ok', errorCode: null }] }), run: job },
  { name: 'redis-value', seeds: texts('{"v":1,"id":"e","createdAtMs":1,"model":"m"}\n{"choices":[]}', `${JSON.stringify(SETTLED)}\n${JSON.stringify({ kind: 'accepted', quarterMs: 1, operations: 2 })}\n`, '{"kind":"snapshot","version":3}', 'deja:answer:{t}:abc'), run: kept, mostCpuMs: 1000 },
  { name: 'semantic-message', seeds: texts(...MESSAGES, PAYLOAD), run: semantic },
  { name: 'cursor', seeds: [...texts('["keys","01a31a3c-5c00-7000-8000-000000000001"]', 'list:id-1', '["requests",[1,"x"]]', 'sk-deja-0123456789abcdef-x'), Buffer.from(cursorAt('requests', [1, 'x'])), Buffer.from('WyJrZXlzIiwiMDFhMzFhM2MtNWMwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAxIl0')], run: cursor },
];
