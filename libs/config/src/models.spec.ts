import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ModelConfig } from './deja-config.ts';
import { parseConfig } from './parse-config.ts';

const NOTHING = { openaiApiKeys: [], openaiBaseUrl: null, variables: {} };
const PROVIDER = 'providers:\n  local: { kind: openai, base_url: "http://localhost:1/v1" }\n';
/** Two models that have deployments. */
const SERVED = '  - { name: small, deployments: [{ provider: local, model: s }] }\n  - { name: big, deployments: [{ provider: local, model: b }] }\n';

const parse = (models: string): ReturnType<typeof parseConfig> => parseConfig(`${PROVIDER}models:\n${models}`, NOTHING);

function good(models: string): { models: ModelConfig[]; warnings: string[] } {
  const result = parse(models);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return { models: result.config.models, warnings: result.warnings };
}

function errors(models: string): [string, string][] {
  const result = parse(models);
  if (result.ok) throw new Error('accepted');
  return result.errors.map(({ path, message }) => [path, message]);
}

/** A model `a` whose deployments say this. */
const withDeployments = (...says: string[]): string => `  - { name: a, deployments: [${says.map((say, n) => `{ provider: local, model: m${n}${say} }`).join(', ')}] }\n`;

describe('a model of deja.yaml', () => {
  test('that lists candidates is served: without deployments, in the order of the list, by cost unless it says otherwise', () => {
    const { models, warnings } = good(`  - { name: auto, candidates: [small, big] }\n  - { name: best, candidates: [big, small], prefer: capability, fallbacks: [auto] }\n${SERVED}`);
    expect(models.slice(0, 2)).toEqual([
      { name: 'auto', strategy: 'weighted', deployments: [], fallbacks: [], candidates: ['small', 'big'], prefer: 'cost' },
      { name: 'best', strategy: 'weighted', deployments: [], fallbacks: ['auto'], candidates: ['big', 'small'], prefer: 'capability' },
    ]);
    expect(warnings).toEqual([]);
  });

  test('may name as a candidate what only "*" takes', () => {
    expect(good('  - { name: auto, candidates: [anything] }\n  - { name: "*", deployments: [{ provider: local, model: "*" }] }\n').models[0]?.candidates).toEqual(['anything']);
  });

  test('that says all it can reaches the router complete, under the names of the snapshot', () => {
    const { models, warnings } = good(`  - name: a
    strategy: least_latency
    affinity: false
    hedge: { after: p95 }
    fallbacks_on: { context_window: [big], content_policy: [small, auto] }
    deployments:
      - { provider: local, model: x, region: eu-west, tags: [zdr, gpu] }
      - { provider: local, model: y, canary: 0.05, weight: 2 }
      - { provider: local, model: z, shadow: 1, priority: 3 }
  - { name: auto, candidates: [small, big], prefer: speed }
${SERVED}`);
    expect(models[0]).toEqual({
      name: 'a',
      strategy: 'least_latency',
      affinity: false,
      hedge: { percentile: 95, maxShare: 0.05 },
      fallbacks: [],
      fallbacksOn: { contextWindow: ['big'], contentPolicy: ['small', 'auto'] },
      deployments: [
        { provider: 'local', upstreamModel: 'x', weight: 1, priority: 1, region: 'eu-west', tags: ['zdr', 'gpu'] },
        { provider: 'local', upstreamModel: 'y', weight: 2, priority: 1, canary: 0.05 },
        { provider: 'local', upstreamModel: 'z', weight: 1, priority: 3, shadow: 1 },
      ],
    });
    expect(warnings).toEqual([]);
  });

  test.each(['weighted', 'least_latency', 'least_busy', 'cheapest', 'priority'])('may choose its deployments by %s, and is told of nothing', (strategy) => {
    const { models, warnings } = good(`  - { name: a, strategy: ${strategy}, affinity: true, fallbacks_on: {}, deployments: [{ provider: local, model: x, tags: [] }] }\n`);
    expect(models).toEqual([{ name: 'a', strategy, deployments: [{ provider: 'local', upstreamModel: 'x', weight: 1, priority: 1 }], fallbacks: [] }]);
    expect(warnings).toEqual([]);
  });

  test.each([
    ['  - { name: auto, candidates: [small, best] }\n  - { name: best, candidates: [big] }\n', 'models[0].candidates[1]', '"best" chooses among candidates itself: name those, or other models that have deployments'],
    ['  - { name: auto, candidates: [other] }\n  - { name: "*", candidates: [small] }\n', 'models[0].candidates[0]', '"other" chooses among candidates itself: name those, or other models that have deployments'],
    ['  - { name: auto, candidates: [auto] }\n', 'models[0].candidates[0]', '"auto" is the model itself: name another one'],
    ['  - { name: auto, candidates: [smal] }\n', 'models[0].candidates[0]', 'there is no model "smal" (did you mean "small"?)'],
    ['  - { name: auto, candidates: [small, big, small] }\n', 'models[0].candidates[2]', '"small" stands twice: name each candidate once'],
    ['  - { name: auto, candidates: [] }\n', 'models[0].candidates', 'must not be empty: name at least one candidate'],
    ['  - { name: auto, candidates: [small], prefer: price }\n', 'models[0].prefer', 'must be one of cost, speed, capability'],
    ['  - { name: auto, candidates: [small], deployments: [{ provider: local, model: x }] }\n', 'models[0].candidates', 'a model has deployments or candidates: give the deployments a model of their own, and name it as a candidate'],
    ['  - { name: a, prefer: cost, deployments: [{ provider: local, model: x }] }\n', 'models[0].prefer', 'says how to choose among candidates, and there are none: take it out, or write candidates'],
    ['  - { name: "auto:speed", deployments: [{ provider: local, model: x }] }\n  - { name: auto, candidates: [small] }\n', 'models[0].name', '"auto:speed" is how a request asks "auto" for speed: choose another name'],
    [withDeployments('', ', canary: 0.1, shadow: 0.1'), 'models[0].deployments[1].shadow', 'a deployment is a canary or a shadow, not both: take one of them out'],
    [withDeployments(', canary: 0.1', ', shadow: 0.1'), 'models[0].deployments', 'canaries and shadows stand beside others: write at least one deployment without canary and shadow'],
    [withDeployments('', ', canary: 0.6', ', canary: 0.5'), 'models[0].deployments', 'the canaries\' shares add up to 1.1: write shares that are 1 at most together'],
    [withDeployments('', ', canary: 1.5'), 'models[0].deployments[1].canary', 'must be at most 1'],
    [withDeployments('', ', shadow: -1'), 'models[0].deployments[1].shadow', 'must be at least 0'],
    [withDeployments('', ', canary: 5%'), 'models[0].deployments[1].canary', 'must be a number, but it is text'],
    [withDeployments(', region: "eu west"'), 'models[0].deployments[0].region', 'write a name of letters, digits, ".", "_" and "-", at most 63 long'],
    [withDeployments(', tags: [ok, "not ok"]'), 'models[0].deployments[0].tags[1]', 'write a name of letters, digits, ".", "_" and "-", at most 63 long'],
    [withDeployments(', tags: gpu'), 'models[0].deployments[0].tags', 'must be a list, but it is text'],
    ['  - { name: a, affinity: sticky, deployments: [{ provider: local, model: x }] }\n', 'models[0].affinity', 'must be true or false, but it is text'],
    ['  - { name: a, hedge: { after: p42 }, deployments: [{ provider: local, model: x }] }\n', 'models[0].hedge.after', 'must be one of p50, p75, p90, p95, p99'],
    ['  - { name: a, hedge: { max_share: 0.1 }, deployments: [{ provider: local, model: x }] }\n', 'models[0].hedge.after', 'after is missing: write one of p50, p75, p90, p95, p99'],
    ['  - { name: a, hedge: { after: p95, max_share: 2 }, deployments: [{ provider: local, model: x }] }\n', 'models[0].hedge.max_share', 'must be at most 1'],
    ['  - { name: a, fallbacks_on: { context_windw: [small] }, deployments: [{ provider: local, model: x }] }\n', 'models[0].fallbacks_on.context_windw', 'unknown key "context_windw" (did you mean "context_window"?)'],
    ['  - { name: a, fallbacks_on: { content_policy: [a] }, deployments: [{ provider: local, model: x }] }\n', 'models[0].fallbacks_on.content_policy[0]', '"a" is the model itself: name another one'],
  ])('is refused when it says\n%s: at %s, %s', (written, path, message) => {
    expect(errors(written + SERVED)).toEqual([[path, message]]);
  });

  test('may end in :speed where no request can mean anything else by it', () => {
    expect(good(`  - { name: "small:speed", deployments: [{ provider: local, model: x }] }\n${SERVED}`).models[0]?.name).toBe('small:speed');
  });

  test('may give canaries any shares that are 1 together, however they are written', () => {
    expect(good(withDeployments('', ', canary: 0.1', ', canary: 0.2', ', canary: 0.7')).models).toHaveLength(1);
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 6 }), (thousandths) => {
      const result = parse(withDeployments('', ...thousandths.map((share) => `, canary: ${share / 1000}`)));
      expect(result.ok).toBe(thousandths.reduce((sum, share) => sum + share, 0) <= 1000);
    }));
  });
});
