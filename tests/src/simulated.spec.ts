import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testCluster, type TestCluster } from '@deja/testing';
import { ask, chat, operationRow, post, sdk } from './client.ts';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await testCluster({});
}, 60_000);
afterAll(() => cluster?.stop());

describe('without any provider configured', () => {
  test('the model simulated answers, whole and streamed, says what it is, and costs nothing', async () => {
    const { data, response } = await sdk(cluster).chat.completions.create({ model: 'simulated', messages: ask('Is anybody there?') }).withResponse();
    expect(data.choices[0]?.message.content).toContain('simulated model');
    expect(response.headers.get('x-deja-cost-usd')).toBe('0');
    expect(await operationRow(cluster, response.headers.get('x-request-id'))).toMatchObject({ status: 200, cost_nano_usd: '0', usage_source: 'upstream' });
    const stream = sdk(cluster).chat.completions.stream({ model: 'simulated', messages: ask('And in a stream?') });
    expect(await stream.finalContent()).toContain('And in a stream?');
  });

  test('it answers the Responses API, too, and a repeat is an exact hit', async () => {
    expect((await sdk(cluster).responses.create({ model: 'simulated', input: 'A response, please.' })).output_text).toContain('A response, please.');
    const again = await post(cluster, { model: 'simulated', input: 'A response, please.' }, {}, '/v1/responses');
    expect(again.headers.get('x-cache')).toBe('HIT-EXACT');
  });

  test('what it has not is refused, and so is any other model', async () => {
    expect((await post(cluster, { model: 'simulated', input: 'x' }, {}, '/v1/embeddings')).json.error).toMatchObject({ code: 'invalid_value', param: 'model' });
    expect((await post(cluster, chat('x'))).json.error).toMatchObject({ code: 'model_not_found' });
  });
});
