import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ChoiceStage, inOrder, says, type Asked } from './choice-cluster.ts';
import { ask as asMessages, type Messages } from './client.ts';
import { newKey } from './tenant-keys.ts';

let stage: ChoiceStage;
beforeAll(async () => {
  stage = await ChoiceStage.open();
}, 60_000);
afterAll(() => stage?.close());

const at = (provider: string, model: string): object => ({ provider, model });

describe('a model that chooses', () => {
  const models = [
    { name: 'plain', deployments: [at('east', 'gpt-3.5-turbo')] },
    { name: 'sees', deployments: [at('west', 'gpt-4o-mini')] },
    { name: 'wide', deployments: [at('north', 'gpt-4.1')] },
    { name: 'thinks', deployments: [at('south', 'gpt-5')] },
    { name: 'auto', candidates: ['thinks', 'wide', 'sees', 'plain'], prefer: 'cost' },
  ];
  const prices = { 'gpt-3.5-turbo': { input_usd_per_million: 0.01, output_usd_per_million: 0.01 } };
  const validation = { max_output_tokens: 500_000 };
  beforeAll(() => stage.use(models, { prices, validation }));

  const tools = [{ type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } }];
  const picture: Messages = [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }];
  const schema = { type: 'json_schema', json_schema: { name: 'reply', schema: { type: 'object' } } };

  test.each<[string, Asked, string, string]>([
    ['nothing', {}, 'plain', 'east/gpt-3.5-turbo'],
    ['tools', { more: { tools } }, 'sees', 'west/gpt-4o-mini'],
    ['sight', { messages: picture }, 'sees', 'west/gpt-4o-mini'],
    ['a JSON schema', { more: { response_format: schema } }, 'sees', 'west/gpt-4o-mini'],
    ['thought', { more: { reasoning_effort: 'low' } }, 'thinks', 'south/gpt-5'],
    ['a window of 20,000 tokens', { messages: asMessages('word '.repeat(20_000)) }, 'sees', 'west/gpt-4o-mini'],
    ['10,000 tokens of output', { more: { max_tokens: 10_000 } }, 'sees', 'west/gpt-4o-mini'],
    ['20,000 tokens of output', { more: { max_tokens: 20_000 } }, 'wide', 'north/gpt-4.1'],
  ])('takes the cheapest of those that can do what a request needs: %s', async (_need, asked, model, deployment) => {
    expect(await stage.ask('auto', asked)).toMatchObject({ model, deployment, calls: [deployment] });
  });

  test('says so where none of them can', async () => {
    await expect(stage.ask('auto', { more: { max_tokens: 400_000 } })).rejects.toMatchObject({ status: 400, code: 'invalid_value', param: 'max_tokens' });
    await expect(stage.ask('auto', { messages: picture, more: { reasoning_effort: 'high', max_tokens: 300_000 } })).rejects.toMatchObject({ status: 400 });
  });

  test('goes on with the next best when the best one fails', async () => {
    for (const credential of ['sk-east-a', 'sk-east-b']) stage.provider.scriptFor(credential, { status: 500 });
    expect(await stage.ask('auto')).toMatchObject({ model: 'sees', calls: ['east/gpt-3.5-turbo', 'east/gpt-3.5-turbo', 'west/gpt-4o-mini'] });
  });

  test('goes by speed or capability where the request says so', async () => {
    stage.provider.otherwise(says((deployment) => ({ beforeFirstByteMs: deployment.startsWith('north') ? 0 : 250 })));
    for (const model of ['plain', 'sees', 'wide', 'thinks']) await stage.ask(model);
    expect(await stage.ask('auto:speed')).toMatchObject({ model: 'wide' });
    expect(await stage.ask('auto:capability')).toMatchObject({ model: 'thinks' });
    expect(await stage.ask('auto:cost')).toMatchObject({ model: 'plain' });
  });

  test('may be used by whoever may use its name, in every way it can be asked, and its candidates only by their names', async () => {
    const [chooser, other] = [await newKey(stage.cluster, 'choosers', { models: ['auto'] }), await newKey(stage.cluster, 'choosers', { models: ['plain'] })];
    expect(await stage.ask('auto:cost', { key: chooser })).toMatchObject({ model: 'plain' });
    await expect(stage.ask('plain', { key: chooser })).rejects.toMatchObject({ status: 403, code: 'model_not_allowed' });
    await expect(stage.ask('auto:cost', { key: other })).rejects.toMatchObject({ status: 403, code: 'model_not_allowed' });
  });

  test.each(['auto:best', 'auto:', 'plain:cost', 'auto:cost:cost'])('is asked by no other suffix: %s is no model', async (model) => {
    await expect(stage.ask(model)).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  test('is explained with what each of the others lacks', async () => {
    const asked = { body: { messages: picture, tools } };
    const explained = await stage.explain({ model: 'auto:capability', ...asked });
    expect(explained.find(({ model }) => model === 'plain')).toMatchObject({ order: null, reason: 'abilities' });
    const able = inOrder(explained);
    expect(able.map(({ capability }) => capability)).toEqual(able.map(({ capability }) => capability).toSorted((a, b) => Number(b) - Number(a)));
    expect((await stage.ask('auto:capability', { messages: picture, more: { tools } })).deployment).toBe(able[0]?.deployment);
  });
});

test('ranks and preference of deja.yaml go before the shipped ones', async () => {
  const models = [{ name: 'modest', deployments: [at('east', 'gpt-3.5-turbo')] }, { name: 'great', deployments: [at('west', 'gpt-5')] }, { name: 'auto', candidates: ['modest', 'great'], prefer: 'capability' }];
  await stage.use(models);
  expect(await stage.ask('auto')).toMatchObject({ model: 'great' });
  await stage.use(models, { capability: { 'east/gpt-3.5-turbo': 100 } });
  expect(await stage.ask('auto')).toMatchObject({ model: 'modest' });
});
