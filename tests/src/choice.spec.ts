import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ChoiceStage, deploymentOf, inOrder, says, type Asked } from './choice-cluster.ts';
import { ask as asMessages, eventually, type Messages } from './client.ts';

let stage: ChoiceStage;
beforeAll(async () => {
  stage = await ChoiceStage.open();
}, 60_000);
afterAll(() => stage?.close());

/** So far from its mean a count is by chance once in 1.7 million times. */
const DEVIATIONS = 5;
function expectShare(count: number | undefined, of: number, share: number): void {
  expect(Math.abs((count ?? 0) - of * share)).toBeLessThan(DEVIATIONS * Math.sqrt(of * share * (1 - share)));
}

async function inTurn(times: number, model: string, asked: Asked = {}): Promise<string[]> {
  const served: string[] = [];
  for (let i = 0; i < times; i++) served.push((await stage.ask(model, asked)).text);
  return served;
}

const at = (provider: string, model: string, more: object = {}): object => ({ provider, model, ...more });

/** The beginning of a conversation that is long enough for a provider's prompt cache, about 2,500 tokens, and what follows. */
const conversation = (subject: string): Messages => [{ role: 'system', content: `All about ${subject}, at length. `.repeat(400) }, { role: 'user', content: `Tell me of ${subject}.` }];
const continued = (before: Messages): Messages => [...before, { role: 'assistant', content: 'It is old.' }, { role: 'user', content: 'And then?' }];

describe('within a priority, a strategy decides', () => {
  test('weighted: each deployment gets its share, and so does each of its credentials', async () => {
    await stage.use([{ name: 'shared', strategy: 'weighted', deployments: [at('east', 'shared', { weight: 3 }), at('west', 'shared')] }]);
    const counts = await stage.askOften(300, 'shared');
    expectShare(counts['east/shared'], 300, 0.75);
    const ofEast = stage.provider.requests.flatMap(({ credential }) => (credential?.startsWith('sk-east') ? [credential] : []));
    expectShare(ofEast.filter((credential) => credential === 'sk-east-a').length, ofEast.length, 2 / 3);
  });

  test('least_latency: the quicker one, and another as soon as that one is slow', async () => {
    await stage.use([{ name: 'quick', strategy: 'least_latency', deployments: [at('east', 'quick'), at('west', 'quick')] }]);
    stage.provider.otherwise(says((deployment) => ({ beforeFirstByteMs: deployment === 'east/quick' ? 800 : 0 })));
    await inTurn(4, 'quick'); // whoever is not known yet is tried
    expect(await inTurn(8, 'quick')).toEqual(Array(8).fill('west/quick'));
    stage.provider.otherwise(says((deployment) => ({ beforeFirstByteMs: deployment === 'west/quick' ? 2000 : 0 })));
    await inTurn(1, 'quick');
    expect(await inTurn(4, 'quick')).toEqual(Array(4).fill('east/quick'));
  });

  test('least_busy: the one with the fewest calls under way, by its weight', async () => {
    await stage.use([{ name: 'busy', strategy: 'least_busy', deployments: [at('east', 'busy', { weight: 2 }), at('west', 'busy')] }]);
    const { letGo } = stage.hold();
    const asked = [];
    for (let n = 1; n <= 6; n++) {
      asked.push(stage.ask('busy'));
      await stage.provider.waitFor(({ requests }) => requests.length === n);
    }
    letGo();
    const served = (await Promise.all(asked)).map(({ text }) => text).toSorted();
    expect(served).toEqual([...Array(4).fill('east/busy'), ...Array(2).fill('west/busy')]);
  });

  test('cheapest: by what this request would cost, and a conversation stays where its prompt is cached', async () => {
    const prices = {
      'east/deal': { input_usd_per_million: 1, cached_input_usd_per_million: 0.1, output_usd_per_million: 8 },
      'west/deal': { input_usd_per_million: 1.5, output_usd_per_million: 0.1 },
    };
    await stage.use([{ name: 'deal', strategy: 'cheapest', deployments: [at('west', 'deal'), at('east', 'deal')] }], { prices });
    const [long, other] = [conversation('lighthouses'), conversation('windmills')];
    const [shortAnswer, longAnswer] = [{ more: { max_tokens: 1 } }, { more: { max_tokens: 500 } }];
    expect((await stage.ask('deal', { messages: long, ...shortAnswer })).text).toBe('east/deal');
    expect((await stage.ask('deal', { messages: other, ...longAnswer })).text).toBe('west/deal');
    expect((await stage.ask('deal', { messages: continued(long), ...longAnswer })).text).toBe('east/deal');
    expect((await stage.ask('deal', { messages: continued(other), ...longAnswer })).text).toBe('west/deal');
  });

  test('priority: the order of the file', async () => {
    await stage.use([{ name: 'first', strategy: 'priority', deployments: [at('west', 'first'), at('east', 'first', { weight: 9 }), at('north', 'first')] }]);
    stage.provider.scriptFor('sk-west-a', { status: 500 });
    expect((await stage.ask('first')).calls).toEqual(['west/first', 'east/first']);
    expect(await inTurn(5, 'first')).toEqual(Array(5).fill('west/first'));
  });
});

test('a higher priority number is asked only when all lower ones have failed', async () => {
  await stage.use([{ name: 'tiers', deployments: [at('north', 'tiers', { priority: 2, weight: 99 }), at('east', 'tiers'), at('west', 'tiers')] }]);
  expect((await stage.askOften(30, 'tiers'))['north/tiers']).toBeUndefined();
  for (const credential of ['sk-east-a', 'sk-east-b', 'sk-west-a']) stage.provider.scriptFor(credential, { status: 500 }, { status: 500 });
  const { calls } = await stage.ask('tiers');
  expect([calls.length, new Set(calls.slice(0, -1)), calls.at(-1)]).toEqual([4, new Set(['east/tiers', 'west/tiers']), 'north/tiers']);
});

test('a canary gets its share at first hand, whatever the strategy, and else waits until the others have failed', async () => {
  await stage.use([{ name: 'tried', strategy: 'priority', deployments: [at('south', 'tried', { canary: 0.2 }), at('west', 'tried')] }]);
  const counts = await stage.askOften(200, 'tried');
  expectShare(counts['south/tried'], 200, 0.2);
  stage.provider.otherwise(says((deployment) => (deployment === 'west/tried' ? { status: 500 } : {})));
  const { calls } = await stage.ask('tried');
  expect(calls.at(-1)).toBe('south/tried');
});

describe('turns of one conversation', () => {
  const everywhere = (name: string, more: object = {}): object => ({ name, deployments: ['east', 'west', 'north', 'south'].map((provider) => at(provider, name)), ...more });
  const turns = async (model: string, messages: Messages): Promise<string[]> => {
    const served: string[] = [];
    for (let turn = 0, all = messages; turn < 6; turn++, all = continued(all)) {
      served.push((await stage.ask(model, { messages: all, url: stage.cluster.urls[turn % 2]! })).text);
    }
    return served;
  };

  beforeAll(() => stage.use([everywhere('loose', { affinity: false }), everywhere('sticky')]));

  test('go to one deployment, whichever gateway they come by; conversations spread over all', async () => {
    for (const subject of ['rivers', 'bridges']) expect(new Set(await turns('sticky', conversation(subject))).size).toBe(1);
    const first = await Promise.all(Array.from({ length: 30 }, (_, n) => stage.ask('sticky', { messages: conversation(`subject ${n}`) })));
    expect(new Set(first.map(({ text }) => text)).size).toBe(4);
  });

  test('move together while their deployment is out, and come back', async () => {
    const messages = conversation('harbours');
    const [home] = await turns('sticky', messages);
    await stage.admin('POST', `deployments/${home}/drain`);
    const away = new Set(await turns('sticky', messages));
    expect([away.size, away.has(home!)]).toEqual([1, false]);
    await stage.admin('POST', `deployments/${home}/resume`);
    expect(new Set(await turns('sticky', messages))).toEqual(new Set([home]));
  });

  test('are asked of anybody where affinity is off, and where the prompt is too short to be cached', async () => {
    expect(Object.keys(await stage.askOften(30, 'loose', { messages: conversation('rivers') })).length).toBeGreaterThan(1);
    expect(Object.keys(await stage.askOften(30, 'sticky', { messages: asMessages('Short.') })).length).toBeGreaterThan(1);
  });
});

describe('x-deja-require', () => {
  const require = (header: string): Asked => ({ headers: { 'x-deja-require': header } });
  const models = [
    { name: 'placed', deployments: [at('east', 'placed', { region: 'us', tags: ['fast', 'zero-retention'] }), at('west', 'placed', { region: 'eu', tags: ['fast'] })], fallbacks: ['elsewhere'] },
    { name: 'elsewhere', deployments: [at('north', 'elsewhere', { region: 'eu' }), at('south', 'elsewhere', { region: 'us' })] },
  ];

  beforeAll(() => stage.use(models));

  test('keeps a request to the deployments of a region and with all tags, its fallbacks too', async () => {
    expect(await inTurn(8, 'placed', require('region=eu'))).toEqual(Array(8).fill('west/placed'));
    expect(await inTurn(8, 'placed', require('tag=fast, tag=zero-retention'))).toEqual(Array(8).fill('east/placed'));
    stage.provider.scriptFor('sk-west-a', { status: 500 });
    expect(await stage.ask('placed', require('region=eu'))).toMatchObject({ calls: ['west/placed', 'north/elsewhere'], model: 'elsewhere' });
  });

  test.each(['region=mars', 'region=eu,tag=zero-retention', 'tag=none', 'region=eu,region=us', 'zone=eu', 'region='])('that nobody meets, or that says nothing, is a 400: %s', async (header) => {
    const before = stage.provider.requests.length;
    await expect(stage.ask('placed', require(header))).rejects.toMatchObject({ status: 400, code: 'invalid_value', param: 'x-deja-require' });
    expect(stage.provider.requests.length).toBe(before);
  });
});

describe('another model answers', () => {
  const refusal = (code: string): object => ({ status: 400, error: { error: { message: 'No.', type: 'invalid_request_error', param: null, code } } });
  beforeAll(() => stage.use([
    { name: 'main', deployments: [at('west', 'main')], fallbacks: ['spare'] },
    { name: 'narrow', deployments: [at('west', 'gpt-3.5-turbo')], fallbacks_on: { context_window: ['wide'], content_policy: ['liberal'] }, fallbacks: ['spare'] },
    { name: 'strict', deployments: [at('west', 'strict')], fallbacks: ['spare'] },
    { name: 'spare', deployments: [at('south', 'spare')] },
    { name: 'wide', deployments: [at('north', 'gpt-4.1')] },
    { name: 'liberal', deployments: [at('north', 'liberal')] },
  ]));

  test('when every deployment of its own has failed', async () => {
    stage.provider.scriptFor('sk-west-a', { status: 500 });
    expect(await stage.ask('main')).toMatchObject({ model: 'spare', calls: ['west/main', 'south/spare'] });
  });

  test('where the prompt is too long for this one: at once when that is known, else when the provider says so', async () => {
    expect(await stage.ask('narrow', { messages: asMessages('word '.repeat(20_000)) })).toMatchObject({ model: 'wide', calls: ['north/gpt-4.1'] });
    stage.provider.scriptFor('sk-west-a', refusal('context_length_exceeded'));
    expect(await stage.ask('narrow')).toMatchObject({ model: 'wide', calls: ['west/gpt-3.5-turbo', 'north/gpt-4.1'] });
  });

  test('where the provider’s filter refuses the prompt', async () => {
    stage.provider.scriptFor('sk-west-a', refusal('content_filter'));
    expect(await stage.ask('narrow')).toMatchObject({ model: 'liberal', calls: ['west/gpt-3.5-turbo', 'north/liberal'] });
  });

  test.each([['context_length_exceeded', 'context_length_exceeded'], ['content_filter', 'content_policy_violation']])('but not where nobody is named for it: the client is told of %s', async (said, code) => {
    stage.provider.scriptFor('sk-west-a', refusal(said));
    const before = stage.provider.requests.length;
    await expect(stage.ask('strict')).rejects.toMatchObject({ status: 400, code });
    expect(stage.provider.requests.length).toBe(before + 1);
  });
});

test('a deployment that is drained gets nothing any more from any gateway within a second, and everything again as soon as it is back', async () => {
  await stage.use([{ name: 'kept', strategy: 'priority', deployments: [at('west', 'kept'), at('east', 'kept')] }]);
  const { urls } = stage.cluster;
  const serving = (): Promise<string[]> => Promise.all(urls.map((url) => stage.ask('kept', { url }).then(({ text }) => text, ({ code }: { code: string }) => code)));
  const within = (whoever: string): Promise<boolean> => eventually(`${whoever} at every gateway`, async () => (await serving()).every((who) => who === whoever), 1000);
  await stage.admin('POST', 'deployments/west/kept/drain', {}, urls[0]);
  await within('east/kept');
  await stage.admin('POST', 'deployments/east/kept/drain', {}, urls[1]);
  await within('no_deployment_available');
  await stage.admin('POST', 'deployments/west/kept/resume', {}, urls[1]);
  await within('west/kept');
  expect(await serving()).toEqual(['west/kept', 'west/kept']);
});

describe('a plan is explained', () => {
  test('as it is then carried out', async () => {
    await stage.use([
      { name: 'walked', strategy: 'priority', deployments: [at('south', 'walked', { priority: 2 }), at('west', 'walked'), at('north', 'walked')], fallbacks: ['spare'] },
      { name: 'spare', deployments: [at('east', 'spare')] },
    ]);
    const explained = inOrder(await stage.explain({ model: 'walked' })).map(({ deployment }) => deployment);
    expect(explained).toEqual(['west/walked', 'north/walked', 'south/walked', 'east/spare', 'east/spare']);
    stage.provider.otherwise({ status: 500 });
    await expect(stage.ask('walked')).rejects.toMatchObject({ status: 502 });
    expect(stage.provider.requests.map(deploymentOf)).toEqual(explained.slice(0, 4));
  });

  test('with the reason why somebody is left out', async () => {
    await stage.use([
      { name: 'why', strategy: 'priority', deployments: [at('west', 'why', { region: 'us' }), at('north', 'why', { region: 'eu' }), at('faulty', 'why', { region: 'us' }), at('shadow', 'why', { shadow: 0.000001 }), at('south', 'why', { priority: 2, region: 'asia' })] },
    ]);
    const reasons = async (question: object = {}): Promise<Record<string, string | null>> => Object.fromEntries((await stage.explain({ model: 'why', ...question })).map(({ deployment, reason }) => [deployment, reason]));
    expect(await reasons()).toEqual({ 'west/why': null, 'north/why': null, 'faulty/why': null, 'south/why': null, 'shadow/why': 'shadow_not_drawn' });
    expect(await reasons({ requires: { region: 'us' } })).toMatchObject({ 'west/why': null, 'north/why': 'requires', 'faulty/why': null });

    // A value that its provider rejects, a deployment that fails, and one that is drained.
    await stage.admin('POST', 'deployments/west/why/drain');
    stage.provider.scriptFor('sk-faulty-a', { status: 401 });
    for (const region of ['us', 'us', 'eu', 'eu']) {
      stage.provider.scriptFor('sk-north-a', ...Array<object>(4).fill({ status: 500 }));
      await expect(stage.ask('why', { headers: { 'x-deja-require': `region=${region}` } })).rejects.toMatchObject({ status: expect.any(Number) });
    }
    const troubled = await eventually('the pool to have learned of both', async () => {
      const found = await stage.explain({ model: 'why' });
      return found.filter(({ trouble }) => trouble !== null).length === 2 ? found : null;
    });
    // What only fails has a place, after all others.
    expect(troubled.map(({ deployment, reason, trouble, wait_ms: waitMs }) => [deployment, reason, trouble, waitMs > 0])).toEqual([
      ['west/why', 'drained', null, false],
      ['north/why', null, 'failing', true],
      ['faulty/why', 'credential_unavailable', 'rejected', true],
      ['south/why', null, null, false],
      ['shadow/why', 'shadow_not_drawn', null, false],
    ]);
    expect(inOrder(troubled).map(({ deployment }) => deployment)).toEqual(['south/why', 'north/why']);
    expect((await stage.ask('why')).calls).toEqual(['south/why']);
  });
});
