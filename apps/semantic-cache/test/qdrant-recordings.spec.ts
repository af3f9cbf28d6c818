// The fake Qdrant against what a real server answered: every recorded exchange of the part it speaks, in their order, for later ones see what earlier ones wrote.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeQdrant } from '@deja/testing';

type Json = Record<string, unknown>;
interface Exchange {
  name: string;
  request: { method: string; path: string; headers: Record<string, string>; body?: unknown };
  response: { status: number; body: unknown };
}

const { recordings } = JSON.parse(readFileSync(join(import.meta.dirname, 'recordings', 'qdrant-1.19.json'), 'utf8')) as { recordings: Exchange[] };

/** Exchanges that the fake does not speak, and those whose reply depends on one of them. Beginnings of names. */
const OUTSIDE = [
  // other ways of asking
  'query by point id', 'queryBatch', 'error queryBatch', 'queryGroups', 'old /points/search endpoint',
  // payload is written whole by the index, and never changed
  'setPayload nested key', 'overwritePayload', 'deletePayload keys', 'retrieve by ids (one missing)',
  // snapshots, named vectors, strict mode, limits of size (their bodies are not in the recordings)
  'snapshot', 'error snapshot', 'create collection named vector', 'error query named collection', 'create collection strict', 'strict: ', 'error payload too large', 'query body too large', '1 MiB payload accepted',
  // an estimate by the server's own rule; a body without a content-type; metrics
  'count approximate', 'error upsert: no content-type', 'auth: no key /metrics',
];
const isOutside = ({ name }: Exchange): boolean => OUTSIDE.some((beginning) => name.startsWith(beginning));
const inside = recordings.filter((exchange) => !isOutside(exchange));
const needsKey = ({ name }: Exchange): boolean => name.startsWith('auth: ');

let open: FakeQdrant;
let locked: FakeQdrant;
beforeAll(async () => {
  open = await FakeQdrant.start();
  locked = await FakeQdrant.start({ apiKey: 'test-key', readOnlyApiKey: 'test-ro' });
});
afterAll(async () => {
  await open.stop();
  await locked.stop();
});

interface Reply {
  status: number;
  body: unknown;
}

async function ask(fake: FakeQdrant, { method, path, headers, body }: Exchange['request']): Promise<Reply> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(fake.url + path, { method, headers, ...(text === undefined ? {} : { body: text }) });
  const said = await response.text();
  return { status: response.status, body: response.headers.get('content-type') === 'application/json' ? (JSON.parse(said) as unknown) : said };
}

/** Without what counts the server's own operations, and what its clock says. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !['time', 'operation_id', 'version'].includes(name)).map(([name, inner]) => [name, comparable(inner)]));
}

interface Scored extends Json {
  id: string;
  score: number;
}
const listed = (body: unknown): unknown[] => (body as { result: { collections: unknown[] } }).result.collections;
const pointsOf = (body: unknown): Scored[] => (body as { result: { points: Scored[] } }).result.points;

test('of the recorded exchanges most are spoken, and each that is left out is there', () => {
  expect(OUTSIDE.filter((beginning) => !recordings.some(({ name }) => name.startsWith(beginning)))).toEqual([]);
  expect(inside.length).toBeGreaterThan(130);
});

describe.each(inside.map((exchange, n) => ({ title: `${n + 1} ${exchange.name}`, exchange })))('$title', ({ exchange }) => {
  test('the fake answers as the server did', async () => {
    const fake = needsKey(exchange) ? locked : open;
    const { status, body } = await ask(fake, exchange.request);
    expect(status).toBe(exchange.response.status);
    const check = CHECKS.find(({ isFor }) => isFor(exchange))?.check ?? expectEqual;
    await check(fake, exchange, body);
  });
});

/** Compares the fake's body with the recorded one. */
type Check = (fake: FakeQdrant, exchange: Exchange, body: unknown) => void | Promise<void>;

const expectEqual: Check = (_, { response }, body) => expect(comparable(body)).toEqual(comparable(response.body));
/** What does not parse or validate: the parser's own words are not part of what the fake promises. */
const expectSomeError: Check = (_, __, body) => expect(body).toEqual({ status: { error: expect.any(String) }, time: 0 });
const expectSameInAnyOrder: Check = (_, { response }, body) => expect(new Set(listed(body))).toEqual(new Set(listed(response.body)));

const CHECKS: { isFor: (exchange: Exchange) => boolean; check: Check }[] = [
  { isFor: ({ response }) => /Format error in JSON body|Validation error in JSON body/.test(JSON.stringify(response.body)), check: expectSomeError },
  { isFor: ({ response }) => response.status !== 200, check: expectEqual },
  { isFor: ({ name }) => name === 'collections list', check: expectSameInAnyOrder },
  { isFor: ({ request }) => /\/points\/query(\?|$)/.test(request.path), check: expectSamePoints },
  { isFor: ({ request: { method, path } }) => method === 'GET' && /^\/collections\/[^/]+$/.test(path), check: expectSameCollection },
];

/** Points of one score have no order, so where a limit cuts, either may be there: each recorded point must be one the fake finds, with the same score and contents. */
async function expectSamePoints(fake: FakeQdrant, { request, response }: Exchange, body: unknown): Promise<void> {
  const [points, recorded] = [pointsOf(body), pointsOf(comparable(response.body))];
  expect(points).toHaveLength(recorded.length);
  for (const [at, { score }] of points.entries()) expect(Math.abs(score - recorded[at]!.score)).toBeLessThan(1e-3);
  const all = pointsOf((await ask(fake, { ...request, body: { ...(request.body as Json), limit: 1000, offset: 0 } })).body);
  for (const { score, ...point } of recorded) {
    const { score: ours, ...same } = all.find(({ id }) => id === point.id)!;
    expect(Math.abs(ours - score)).toBeLessThan(1e-3);
    const { vector, ...rest } = comparable(same) as Json;
    const { vector: recordedVector, ...recordedRest } = point as Json;
    expect(rest).toEqual(recordedRest);
    expect(vector === undefined).toBe(recordedVector === undefined);
    for (const [n, x] of ((recordedVector ?? []) as number[]).entries()) expect(Math.abs(x - (vector as number[])[n]!)).toBeLessThan(1e-3);
  }
}

interface CollectionInfo {
  result: { points_count: number; config: Json; payload_schema: Record<string, { data_type: string }> };
}

/** The server says much of its own settings; what the fake says of the collection must be among it. */
function expectSameCollection(_: FakeQdrant, { response }: Exchange, body: unknown): void {
  const [info, recorded] = [comparable(body), comparable(response.body)];
  expect(recorded).toMatchObject(info as Json);
  const { result } = info as CollectionInfo;
  const { config, points_count: count, payload_schema: fields } = (recorded as CollectionInfo).result;
  expect(result.points_count).toBe(count);
  expect(result.config['metadata']).toEqual(config['metadata']);
  expect(Object.keys(result.payload_schema).sort()).toEqual(Object.keys(fields).sort());
}

test('a refusal for the rate of requests is the recorded one, and says when to come again', async () => {
  const { request, response } = recordings.find(({ name }) => name === 'strict: read rate limit #3')!;
  open.fail({ status: 429, error: (response.body as { status: { error: string } }).status.error, retryAfterS: 20 });
  const refused = await fetch(open.url + request.path, { method: 'POST', body: JSON.stringify(request.body) });
  expect([refused.status, refused.headers.get('retry-after'), comparable(await refused.json())]).toEqual([429, '20', response.body]);
});
