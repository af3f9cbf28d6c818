import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Settings } from '@deja/contracts';
import { answer, cut, raw } from '@deja/testing';
import { GatewayStage } from './gateway-stage.ts';

let stage: GatewayStage;

beforeAll(async () => {
  stage = await GatewayStage.start();
  const rates = { input: 0, cachedInput: 0, cacheWrite: 0, output: 1_000_000_000, longContext: null };
  await stage.configure({ prices: { m: [rates], 'gpt-image-1': [{ ...rates, perImage: 40_000_000 }] } as unknown as Settings['prices'] });
});
afterEach(() => stage.provider.reset());
afterAll(() => stage.stop());

const costOf = async (asked: ReturnType<GatewayStage['post']>): Promise<string | null> => (await asked).response.headers.get('x-deja-cost-usd');
const image = (prompt: string, more: object = {}) => stage.post('images/generations', { model: 'gpt-image-1', prompt, ...more });
const json = (value: object) => raw({ contentType: 'application/json', body: JSON.stringify(value) });
let questions = 0;
const chat = (more: object = {}) => stage.post('chat/completions', { model: 'm', messages: [{ role: 'user', content: `Question ${(questions += 1)}?` }], ...more });

describe('x-deja-cost-usd', () => {
  test('is on whole replies that are passed on, pictures by their number or their tokens', async () => {
    stage.provider.script(json({ created: 1, data: [{ url: 'https://images.example/1.png' }, { url: 'https://images.example/2.png' }] }));
    const { response } = await image('A cat');
    expect(response.headers.get('x-deja-cost-usd')).toBe('0.08');
    expect(await response.json()).toMatchObject({ data: [{}, {}] });
    stage.provider.script(json({ created: 1, data: [{ url: 'https://images.example/1.png' }], usage: { input_tokens: 5, output_tokens: 200, total_tokens: 205, output_tokens_details: { text_tokens: 200, image_tokens: 0 } } }));
    expect(Number(await costOf(image('A dog')))).toBeGreaterThan(0);
  });

  test('is on an answer that tells no usage, as it was counted', async () => {
    // Two tokens: of a model that nobody knows, a text is taken to have more than the nearest encoding makes of it.
    stage.provider.script(answer('hi', { usage: null }));
    expect(await costOf(chat())).toBe('0.000002');
  });

  test('is absent where the cost is unknown: no price, or no usage and nothing to count', async () => {
    stage.provider.script(answer('hi'));
    expect(await costOf(stage.post('chat/completions', { model: 'e', messages: [{ role: 'user', content: 'Unpriced?' }] }))).toBeNull();
    stage.provider.script(json({ created: 1, data: [] }));
    expect(await costOf(image('Nothing'))).toBeNull();
  });

  test('is absent on a reply that is too long to wait for its end, which comes through whole', async () => {
    const value = { created: 1, data: [{ b64_json: 'A'.repeat(3 * 1024 * 1024) }], usage: { input_tokens: 5, output_tokens: 1 } };
    stage.provider.script(json(value));
    const { response } = await image('A whale');
    expect(response.headers.get('x-deja-cost-usd')).toBeNull();
    expect(await response.json()).toEqual(value);
  });

  test('a reply that breaks off before its end is an error, and nothing of it is sent', async () => {
    stage.provider.script(cut(0, answer('x')));
    const { response } = await image('Half');
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: 'upstream_error' } });
  });
});
