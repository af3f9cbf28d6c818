// What stands under deploy/kubernetes and deploy/helm, rendered by Node alone; deploy/verify-kubernetes.sh asks the real programs and a real API server.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { parseConfig, readEnvironment } from '@deja/config';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { allowedArrows, idlePolicies } from './kubernetes/arrows.ts';
import { renderTemplates } from './kubernetes/chart.ts';
import { chartFiles, renderedChart, renderedKustomization, renderedWithComponents, valuesOf } from './kubernetes/manifests.ts';
import { comparable, idOf, type JsonObject, type KubernetesObject } from './kubernetes/objects.ts';
import { policyComplaints } from './kubernetes/policies.ts';
import { schemaComplaints } from './kubernetes/typed-validation.ts';
import { ofKind, podOf, workloadsOf } from './kubernetes/workloads.ts';

jest.setTimeout(180_000); // the compiler reads all of Kubernetes' types

const ROOT = join(import.meta.dirname, '..', '..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

const COMPONENTS = ['monitoring', 'tracing', 'ingress', 'gateway-api', 'qdrant', 'shared-spool', 'autoscale-in-flight'];
const EVERYTHING: JsonObject = {
  monitoring: { enabled: true }, tracing: { endpoint: 'http://otel-collector.monitoring:4318' }, ingress: { enabled: true }, httpRoute: { enabled: true }, qdrant: { enabled: true },
  gateway: { trustedProxies: ['10.0.0.0/8'], spool: { shared: true }, autoscaling: { inFlight: 100 } },
};
const OTHER_CHOICES: JsonObject = {
  fullnameOverride: 'gate', secret: 'own', image: { registry: 'registry.example.com/', tag: '1.2.3', pullSecrets: [{ name: 'registry' }] }, networkPolicy: { enabled: false },
  gateway: { admin: false, autoscaling: { enabled: false }, overload: { enabled: false, latenessMs: 100, inFlight: 1000000 }, bodyMemoryMiB: 64, maxConnections: 2000000, redisDeadlineMs: 200, env: [{ name: 'OTEL_TRACES_SAMPLER', value: 'always_off' }], tolerations: [{ key: 'gate', operator: 'Exists' }], service: { type: 'LoadBalancer', annotations: { a: 'b' } }, podLabels: { team: 'x' } },
  usageWorker: { priorityClassName: 'high', nodeSelector: { disk: 'fast' } },
  qdrant: { url: 'https://qdrant.example.com' },
};

/** What the operator's Secret has; each installation with the keys that it asks for. */
const SECRET = { deja: ['redis-url', 'database-url', 'admin-key', 'master-key', 'postgres-password', 'qdrant-api-key'], own: ['redis-url', 'database-url', 'master-key'] };

const base = renderedKustomization('base');
const small = renderedKustomization('overlays/small');
const production = renderedKustomization('overlays/production');
const everything = renderedWithComponents(COMPONENTS);
const installations: [string, KubernetesObject[]][] = [
  ['the base', base], ['the small overlay', small], ['the production overlay', production], ['the base with every component', everything],
  ['the chart', renderedChart()], ['the chart with everything on', renderedChart(EVERYTHING)], ['the chart with other choices', renderedChart(OTHER_CHOICES, 'blue')],
];

/** Namespaces and Secrets aside, which an overlay brings and a chart does not. */
const workloads = (objects: KubernetesObject[]): KubernetesObject[] => objects.filter(({ kind }) => kind !== 'Namespace' && kind !== 'Secret');

describe('every object', () => {
  test("is as Kubernetes' schemas say, and has no member that they do not know", async () => {
    expect(await schemaComplaints(installations.flatMap(([, objects]) => objects))).toEqual([]);
  });

  test('with a wrong value, or with a member of a wrong name, would be found', async () => {
    const [deployment] = ofKind(base, 'Deployment');
    const text = JSON.stringify(deployment).replace('"imagePullPolicy"', '"imagePullPolicies"').replace('"maxSkew":1', '"maxSkew":"one"');
    const found = (await schemaComplaints([JSON.parse(text) as KubernetesObject])).join('\n');
    expect(found).toContain('maxSkew must be integer');
    expect(found).toContain('imagePullPolicies');
  });

  test.each(installations)('of %s keeps to the rules: no root, fixed versions, limits, probes, nothing named that is not there', (_name, objects) => {
    expect(policyComplaints(objects, SECRET)).toEqual([]);
    expect(idlePolicies(objects)).toEqual([]);
  });

  test('that breaks a rule is named', () => {
    const broken = JSON.parse(JSON.stringify(base)
      .replace('"runAsNonRoot":true', '"runAsNonRoot":false').replace(`deja-router:${version}`, 'deja-router:latest').replace('"secretName":"deja"', '"secretName":"absent"')
      .replace('"terminationGracePeriodSeconds":660', '"terminationGracePeriodSeconds":600').replace('"targetPort":"http"', '"targetPort":"https"')) as KubernetesObject[];
    expect(policyComplaints(broken, SECRET)).toEqual([
      'Deployment/deja-gateway: may run as root',
      'Deployment/deja-gateway: is killed after 600 s, before its longest stream has ended',
      'Deployment/deja-router: router has no fixed version: deja-router:latest',
      'Service/deja-gateway: leads to ports that nobody has: http',
      'Deployment/deja-gateway: there is no Secret absent with redis-url',
      'Deployment/deja-gateway: there is no Secret absent with admin-key',
    ]);
  });

  test('is none with a secret in it, but for the small overlay, whose generator reads a file that git ignores', () => {
    expect(installations.filter(([, objects]) => objects.some(({ kind }) => kind === 'Secret')).map(([name]) => name)).toEqual(['the small overlay']);
  });

  test('is there once', () => {
    for (const [, objects] of installations) expect(new Set(objects.map(idOf)).size).toBe(objects.length);
  });
});

describe('the chart makes what the kustomizations say', () => {
  test.each([
    ['by default, the base', base, {}],
    ['with values-small.yaml, the small overlay', small, valuesOf('values-small.yaml')],
    ['with values-production.yaml, the production overlay', production, valuesOf('values-production.yaml')],
    ['with everything on, the base with every component', everything, EVERYTHING],
  ])('%s', (_name, objects, values) => {
    expect(comparable(workloads(renderedChart(values)))).toEqual(comparable(workloads(objects)));
  });

  test('each value of its own files is one that its schema knows, and a misspelt one is refused', () => {
    const files = chartFiles();
    const validate = new Ajv({ allErrors: true }).compile(JSON.parse(files.get('values.schema.json') ?? '') as object);
    for (const file of ['values.yaml', 'values-small.yaml', 'values-production.yaml']) expect([file, validate(parse(files.get(file) ?? '')), validate.errors]).toEqual([file, true, null]);
    for (const values of [EVERYTHING, OTHER_CHOICES]) expect([validate(values), validate.errors]).toEqual([true, null]);
    expect(validate({ gateway: { replica: 3 } })).toBe(false);
    expect(validate({ image: { tag: 'latest' } })).toBe(false);
  });

  test('two releases in one namespace share no name and no pod', () => {
    const [one, other] = ['blue-deja', 'green'].map((name) => renderedChart({}, name).filter(({ kind }) => kind !== 'Namespace'));
    const names = new Set((one ?? []).map(idOf));
    expect((other ?? []).map(idOf).filter((id) => names.has(id))).toEqual([]);
    const selectors = (objects: KubernetesObject[] = []): string[] => ofKind(objects, 'Deployment').map(({ spec }) => JSON.stringify(spec?.selector));
    expect(selectors(one).filter((selector) => selectors(other).includes(selector))).toEqual([]);
  });

  test('what it says after an installation names the Secret, the address of clients, and the way to the admin API', () => {
    const notes = renderTemplates(chartFiles(), { name: 'deja', namespace: 'llm', values: {} }).get('templates/NOTES.txt') ?? '';
    expect(notes).toContain('needs the Secret deja with redis-url, database-url, admin-key, master-key;');
    expect(notes).toContain('http://deja-gateway.llm/v1');
    expect(notes).toContain('port-forward svc/deja-gateway-admin 3100');
  });
});

/** The arrows of the design: what each app talks to, and nothing else. DNS, which all apps may ask, is told apart below. */
const DESIGN = {
  always: [
    'anyone → gateway:3000', 'deja-admin=allowed → gateway:3100', 'gateway → public addresses:443',
    'monitoring → gateway:9460', 'monitoring → router:9461', 'monitoring → semantic-cache:9462', 'monitoring → usage-worker:9463',
    'usage-worker → public addresses:443', 'usage-worker → public addresses:465', 'usage-worker → public addresses:587',
  ],
  redis: ['gateway', 'router', 'semantic-cache', 'usage-worker'],
  postgres: ['router', 'usage-worker'],
};
const designed = (redis: string, postgres: string, more: string[] = []): string[] =>
  [...DESIGN.always, ...DESIGN.redis.map((app) => `${app} → ${redis}:6379`), ...DESIGN.postgres.map((app) => `${app} → ${postgres}:5432`), ...more].sort();
const withoutDns = (objects: KubernetesObject[]): string[] => allowedArrows(objects).filter((arrow) => !/:53(?:\/UDP)?$/.test(arrow));

describe('network rules allow the connections of the design and no other', () => {
  test.each([
    ['the base', base, designed('anyone', 'anyone')],
    ['the small overlay, where Redis and Postgres talk to nobody', small, designed('redis', 'postgres')],
    ['the production overlay', production, designed('private addresses', 'private addresses')],
    ['every component', everything, designed('anyone', 'anyone', ['semantic-cache → qdrant:6333', ...DESIGN.redis.map((app) => `${app} → monitoring:4318`)])],
  ])('in %s', (_name, objects, expected) => {
    expect(withoutDns(objects)).toEqual(expected);
  });

  test('only the four apps ask for names', () => {
    const asking = allowedArrows(everything).filter((arrow) => arrow.endsWith(':53')).map((arrow) => arrow.split(' → ')[0]);
    expect([...new Set(asking)]).toEqual(DESIGN.redis);
  });
});

describe('what is made elsewhere is what stands here', () => {
  test('images have the version of this repository, and so has the chart', () => {
    const chart = parse(chartFiles().get('Chart.yaml') ?? '') as { version: string; appVersion: string };
    expect([chart.version, chart.appVersion]).toEqual([version, version]);
    const own = workloadsOf([...base, ...production]).flatMap((workload) => podOf(workload).containers.map(({ image = '' }) => image.split('/').at(-1)));
    expect([...new Set(own)]).toEqual(DESIGN.redis.map((app) => `deja-${app}:${version}`));
  });

  test.each([['the base', base], ['the production overlay', production], ['the chart', renderedChart()]])('deja.yaml in %s is one that a router takes', (_name, objects) => {
    const config = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'deja-config');
    const files = (config?.['data'] ?? {}) as Record<string, string>;
    const text = files['deja.yaml'] ?? '';
    expect(parseConfig(text, { ...readEnvironment({}), variables: {} }, () => 'not-a-secret')).toMatchObject({ ok: true, warnings: [] });
  });

  test('the rules of Prometheus are those of deploy/prometheus, the versions those of package.json', () => {
    const { status, stderr } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, 'tools', 'kubernetes', 'derived.ts'), '--check'], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  test('when gateways refuse requests, and what they hold for clients, is as if nothing were said; the chart says what it is told', () => {
    const bounds = (objects: KubernetesObject[]): object => {
      const { overload, bodyMemoryBytes, maxConnections, redisDeadlineMs } = readEnvironment(gatewayVariables(objects));
      return { overload, bodyMemoryBytes, maxConnections, redisDeadlineMs };
    };
    const own = readEnvironment({});
    expect(bounds(base)).toEqual({ overload: own.overload, bodyMemoryBytes: own.bodyMemoryBytes, maxConnections: own.maxConnections, redisDeadlineMs: own.redisDeadlineMs });
    expect(gatewayVariables(renderedChart(OTHER_CHOICES, 'blue'))).toMatchObject({ DEJA_OVERLOAD: 'off', DEJA_OVERLOAD_LATENESS_MS: '100', DEJA_OVERLOAD_IN_FLIGHT: '1000000', DEJA_BODY_MEMORY_MIB: '64', DEJA_MAX_CONNECTIONS: '2000000', DEJA_REDIS_DEADLINE_MS: '200' });
  });

  test('every dashboard of deploy/grafana is in a ConfigMap', () => {
    const files = readdirSync(join(ROOT, 'deploy', 'grafana', 'dashboards')).filter((name) => name.endsWith('.json'));
    const kept = everything.filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.includes('-dashboard-')).flatMap(({ data }) => Object.keys(data as JsonObject));
    expect(kept.sort()).toEqual(files.sort());
  });

  test('alerts of memory come at 80 % of what a container may have', () => {
    const rules = readFileSync(join(ROOT, 'deploy', 'prometheus', 'rules', 'recording.yaml'), 'utf8');
    const bounds = [...rules.matchAll(/deja:memory_bound:bytes\s+expr: vector\(([\d.e]+)\)\s+labels: \{ job: ([\w-]+) \}/g)].map(([, bytes, job]) => [job, Number(bytes)]);
    const limits = ofKind(base, 'Deployment').map((deployment) => [podOf(deployment).containers[0]?.name, bytesOf(podOf(deployment).containers[0]?.resources?.limits?.['memory'])]);
    expect(bounds).toEqual(limits.map(([job, bytes]) => [job, Math.round((Number(bytes) * 0.8) / 1e7) * 1e7]));
  });
});

/** But for those whose values stand in Secrets and files. */
function gatewayVariables(objects: KubernetesObject[]): Record<string, string> {
  const gateway = ofKind(objects, 'Deployment').map(podOf).flatMap(({ containers }) => containers).find(({ name }) => name === 'gateway');
  return Object.fromEntries((gateway?.env ?? []).flatMap(({ name, value }) => (value === undefined || name.endsWith('_FILE') ? [] : [[name, value]])));
}

function bytesOf(quantity: unknown): number {
  const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(String(quantity)) ?? [];
  return Number(amount) * (unit === 'Gi' ? 2 ** 30 : 2 ** 20);
}
