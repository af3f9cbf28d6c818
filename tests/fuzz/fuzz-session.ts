import { readFile } from 'node:fs/promises';
import { eventually, fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import fc from 'fast-check';
import { complaintsOf } from './checks.ts';
import { isHttp, wireRequest, type Known, type WireRequest } from './requests.ts';
import { Wire, wireBytes } from './wire.ts';

const UPSTREAM_SECRETS = ['sk-upstream-a-XYZZY', 'sk-upstream-b-XYZZY'];

/** A cluster with a provider of every kind behind it, and content rules, so that all of the path is walked. */
export async function fuzzCluster(): Promise<{ cluster: TestCluster; provider: FakeProvider }> {
  const provider = await fakeProvider();
  const credentials = UPSTREAM_SECRETS.map((value, i) => ({ name: `c${i}`, value }));
  const served = (name: string, of: string, model = name): object => ({ name, deployments: [{ provider: of, model }] });
  const cluster = await testCluster({
    config: {
      providers: {
        openai: { kind: 'openai', server: 'openai', base_url: provider.url, credentials },
        claude: { kind: 'anthropic', base_url: provider.origin, credentials },
        gemini: { kind: 'gemini', base_url: provider.origin, credentials },
        azure: { kind: 'azure-openai', base_url: provider.origin, api_version: '2024-10-21', credentials },
        mistral: { kind: 'openai', server: 'mistral', base_url: provider.url, credentials },
      },
      models: [
        served('known', 'openai', 'gpt-4o-mini'), served('claude', 'claude', 'claude-haiku-4-5'), served('thinker', 'claude', 'claude-opus-4-5'), served('gem', 'gemini', 'gemini-2.5-flash'), served('az', 'azure', 'gpt-4o'), served('mist', 'mistral', 'mistral-small-latest'),
        served('emb', 'openai', 'text-embedding-3-small'), served('gememb', 'gemini', 'gemini-embedding-001'), served('img', 'openai', 'gpt-image-1'), served('tts', 'openai', 'tts-1'), served('whisper', 'openai', 'whisper-1'), served('*', 'openai'),
      ],
      validation: { max_body_bytes: 50_000, max_messages: 50, max_input_tokens: 10_000, max_output_tokens: 4000 },
      content_safety: { deny: ['(?i)project\\s+nightingale'], secrets: 'redact', pii: 'redact' },
      limits: { degraded: 'open' },
    },
  });
  return { cluster, provider };
}

export interface FuzzOptions {
  seed: number;
  /** How many requests, shrinking left out; or for how long, whichever is over first. */
  runs: number;
  seconds: number;
  /** A line about each failure as it is found. */
  report?: (line: string) => void;
}

export interface FuzzSummary {
  seed: number;
  requests: number;
  /** Requests that reached the provider. */
  reached: number;
  byStatus: Record<string, number>;
  failures: string[];
  rssMiB: { start: number; end: number };
}

const ROUND = 2000;
const MOST_FAILURES = 40;
/** Before memory is looked at for the first time: compiled code and caches have come to be. */
const WARM_UP = 500;

/** Sends random requests, one after the other, and says what was wrong with the answers. */
export async function fuzz({ cluster, provider }: { cluster: TestCluster; provider: FakeProvider }, o: FuzzOptions): Promise<FuzzSummary> {
  const run = new FuzzRun(cluster, provider, await knownTo(cluster));
  const untilMs = performance.now() + o.seconds * 1000;
  const failures = new Map<string, string>();
  const fail = (about: string, text: string): void => {
    if (failures.has(about) || failures.size >= MOST_FAILURES) return;
    failures.set(about, text);
    o.report?.(text);
  };
  const round = async (seed: number, runs: number): Promise<void> => {
    const failed = await run.round(seed, runs, untilMs);
    if (failed !== null) fail(failed.about, failed.text);
    for (const line of run.trouble()) fail(line, line);
  };
  await round(o.seed, Math.min(WARM_UP, o.runs));
  const start = await run.rssMiB();
  for (let done = WARM_UP, seed = o.seed + 1; done < o.runs && performance.now() < untilMs; done += ROUND, seed++) await round(seed, Math.min(ROUND, o.runs - done));
  for (const line of await run.missingFromLedger()) fail(line, line);
  return { seed: o.seed, requests: run.requests, reached: run.reached, byStatus: run.byStatus, failures: [...failures.values()], rssMiB: { start, end: await run.rssMiB() } };
}

/** Ids that exist: a file and a stored response of the default tenant's. */
async function knownTo(cluster: TestCluster): Promise<Known> {
  const headers = { authorization: `Bearer ${cluster.key}` };
  const form = new FormData();
  form.set('purpose', 'assistants');
  form.set('file', new Blob(['known']), 'known.txt');
  const made = [
    await fetch(`${cluster.url}/v1/files`, { method: 'POST', headers, body: form }),
    await fetch(`${cluster.url}/v1/responses`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'known', input: 'Keep this.' }) }),
  ];
  const ids = await Promise.all(made.map(async (response) => ((await response.json()) as { id?: string }).id ?? ''));
  return { key: cluster.key, ids: ids.filter((id) => id !== '') };
}

class FuzzRun {
  requests = 0;
  reached = 0;
  readonly byStatus: Record<string, number> = {};
  private readonly wire: Wire;
  private readonly pids: (number | null)[];
  private readonly served: string[] = [];
  private previous: WireRequest | null = null;
  private linesRead = 0;
  private isClean = true;
  private readonly cluster: TestCluster;
  private readonly provider: FakeProvider;
  private readonly known: Known;

  constructor(cluster: TestCluster, provider: FakeProvider, known: Known) {
    this.cluster = cluster;
    this.provider = provider;
    this.known = known;
    this.wire = new Wire(cluster.url);
    this.pids = this.currentPids();
  }

  /** One round from this seed; what failed first, made as small as it can be. */
  async round(seed: number, runs: number, untilMs: number): Promise<{ about: string; text: string } | null> {
    let told = '';
    const property = fc.asyncProperty(wireRequest(this.known), async (request) => {
      const before = this.previous;
      const complaints = await this.once(request);
      if (complaints.length === 0) return;
      if (performance.now() > untilMs) return; // shrinking has taken all the time
      told = before === null || isHttp(before) ? (before === null ? '' : ` after ${this.shown(before)}`) : '';
      throw new Error(complaints.join('; '));
    });
    const result = await fc.check(property, { seed, numRuns: runs, interruptAfterTimeLimit: Math.max(1, untilMs - performance.now()) });
    const request = result.counterexample?.[0];
    if (!result.failed || request === undefined) return null;
    const why = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance);
    const silent = why.includes('no answer') ? told : '';
    return { about: `${why} ${request.method} ${request.target.slice(0, 20)}`, text: `seed ${seed}: ${why}\n  ${this.shown(request)}${silent}` };
  }

  /** What is wrong with the apps themselves: one that died, or that logged an error. */
  trouble(): string[] {
    const died = JSON.stringify(this.currentPids()) === JSON.stringify(this.pids) ? [] : ['a process died'];
    const lines = this.cluster.lines.slice(this.linesRead);
    this.linesRead = this.cluster.lines.length;
    return [...died, ...lines.filter(({ text }) => /"level":"(error|fatal)"/.test(text)).map(({ from, text }) => `${from} logged ${/"msg":"[^"]*"/.exec(text)?.[0] ?? ''} ${/"err":.{0,700}/.exec(text)?.[0] ?? text.slice(0, 700)}`)];
  }

  /** Every operation that was answered has its row, whatever was in it. */
  async missingFromLedger(): Promise<string[]> {
    const count = async (): Promise<number> => Number((await this.cluster.sql<{ n: string }>('select count(*) n from usage.operations where id = any($1)', [this.served]))[0]?.n ?? 0);
    const complete = await eventually('the ledger', async () => (await count()) === this.served.length, 60_000).catch(() => null);
    return complete === null ? [`${this.served.length - (await count())} of ${this.served.length} answered operations are not in the ledger`] : [];
  }

  /** Memory of the gateway. */
  async rssMiB(): Promise<number> {
    const status = await readFile(`/proc/${this.cluster.pid('gateway')}/status`, 'utf8').catch(() => '');
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }

  private async once(request: WireRequest): Promise<string[]> {
    this.provider.reset();
    const clean = isHttp(request);
    const outcome = await this.wire.send(request, { fresh: !clean, end: !clean });
    this.requests++;
    this.previous = request;
    // After a broken request the gateway may still be busy with what it could read of it.
    const reached = this.isClean ? this.provider.requests.filter(({ abortedAtMs, rawBody, method }) => abortedAtMs === null && (rawBody.length > 0 || method !== 'POST')).length : 0;
    this.isClean = clean;
    this.reached += Math.min(1, reached);
    if ('reply' in outcome) {
      const { status, headers } = outcome.reply;
      this.byStatus[status] = (this.byStatus[status] ?? 0) + 1;
      if (status === 200 && headers['x-deja-attempts'] !== undefined) this.served.push(headers['x-request-id'] ?? '');
    } else this.byStatus['none'] = (this.byStatus['none'] ?? 0) + 1;
    return complaintsOf({ request, outcome, reached, secrets: [...UPSTREAM_SECRETS, this.cluster.key, this.cluster.adminKey] });
  }

  private currentPids(): (number | null)[] {
    return this.cluster.apps.map(({ app, n }) => this.cluster.pid(app, n));
  }

  private shown(request: WireRequest): string {
    const bytes = JSON.stringify(wireBytes(request).toString('latin1').replaceAll(this.known.key, '<key>'));
    return bytes.length > 3000 ? `${bytes.slice(0, 2000)} … ${bytes.slice(-900)}` : bytes;
  }
}
