import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Candidate } from '@deja/contracts';
import { fakeProvider, raw, status, type FakeProvider } from '@deja/testing';
import type { RawQuestion } from '../src/passthrough/raw-call.ts';
import { readJson } from '../src/passthrough/raw-reply.ts';
import { AttemptWorld, candidate, credential, operationOf, planOf, settingsWith } from './attempt-world.ts';

let provider: FakeProvider;
let world: AttemptWorld;
beforeAll(async () => {
  provider = await fakeProvider();
});
beforeEach(() => {
  world = new AttemptWorld();
});
afterEach(async () => {
  provider.reset();
  await world.close();
});
afterAll(() => provider.close());

const at = (name: string, own: string): Candidate => candidate(provider, name, credential(`p/${own}`));
const asking = (body: RawQuestion['body']): RawQuestion => ({
  method: 'POST',
  url: ({ deployment }) => `${deployment.baseUrl}/images/generations`,
  headers: { 'content-type': 'application/json' },
  body,
  price: () => null,
  asked: { medium: 'images', characters: null },
  promptTokens: 0,
});
const json = raw({ contentType: 'application/json', body: '{"ok":true}' });

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

test('the same order of trying as for any call: what is hopeless is passed by, and the answer is accounted once it was read', async () => {
  provider.scriptFor('sk-a', status(401));
  provider.scriptFor('sk-b', json);
  const answer = await world.raw.run(operationOf(), asking(() => '{}'), planOf([at('one', 'a'), at('two', 'a'), at('two', 'b')]), settingsWith());
  expect((await readJson(answer)).json).toEqual({ ok: true });
  expect(provider.requests.map((request) => request.credential)).toEqual(['sk-a', 'sk-b']);
  expect(world.admission.told).toMatchObject([{ model: 'one', failure: 'auth' }, { model: 'two', failure: null, headers: { 'content-type': 'application/json' } }]);
});

test('nothing is asked twice of anybody', async () => {
  provider.scriptFor('sk-a', status(503), json);
  await expect(world.raw.run(operationOf(), asking(() => '{}'), planOf([at('one', 'a')]), settingsWith())).rejects.toMatchObject({ code: 'upstream_error' });
  expect(provider.requests).toHaveLength(1);
});

test('an upload that has gone by is not repeated, and the quota that was taken for that is given back', async () => {
  provider.scriptFor('sk-a', status(503));
  let given = false;
  const once = (): AsyncIterable<Uint8Array> | null => {
    if (given) return null;
    given = true;
    return bytes('{"prompt":"x"}');
  };
  await expect(world.raw.run(operationOf(), asking(once), planOf([at('one', 'a'), at('two', 'b')]), settingsWith())).rejects.toMatchObject({ code: 'upstream_error' });
  expect(provider.requests).toHaveLength(1);
  expect(world.admission.told.map(({ model, failure }) => [model, failure])).toEqual([['one', 'overloaded'], ['two', 'cancelled']]);
});

test('an upload waits for somebody who can take it: those whose quota is used up or whose credential cannot be had do not use it up', async () => {
  world.admission.refused.add('one');
  provider.scriptFor('sk-b', json);
  const answer = await world.raw.run(operationOf(), asking(() => bytes('{"prompt":"x"}')), planOf([at('one', 'a'), at('none', 'unknown'), at('two', 'b')]), settingsWith());
  await readJson(answer);
  expect(provider.requests.map(({ body }) => body)).toEqual([{ prompt: 'x' }]);
  expect(world.view.forPlan(Date.now()).deployments.get('p/two')?.firstByteMs).toBeNull();
});
