import { answer, eventually, fakeProvider, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { TraceCollector, type CollectedSpan } from './trace-collector.ts';

/** A client that traces by itself: its trace, and the span that asks. */
export const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
export const CLIENT_SPAN = 'b7ad6b7169203331';
export const ANSWER = 'The second largest is Saturn, after Jupiter.';

/** Everything that one request can go through: a key that no gateway knows yet, a semantic look-up that finds nothing good enough, a provider that fails, another that streams. */
export class TracedRequest {
  readonly cluster: TestCluster;
  readonly collector: TraceCollector;
  readonly provider: FakeProvider;

  private constructor(cluster: TestCluster, collector: TraceCollector, provider: FakeProvider) {
    this.cluster = cluster;
    this.collector = collector;
    this.provider = provider;
  }

  /** `rules`: `content_safety` of deja.yaml. */
  static async start({ env = {}, rules = {} }: { env?: Record<string, string>; rules?: object } = {}): Promise<TracedRequest> {
    const provider = await fakeProvider();
    const collector = await TraceCollector.start();
    const named = (name: string): object => ({ kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'main', value: `sk-${name}` }] });
    const config = {
      providers: { first: named('first'), second: named('second') },
      models: [{ name: 'assistant', strategy: 'priority', deployments: [{ provider: 'first', model: 'gpt-4o' }, { provider: 'second', model: 'gpt-4o-mini' }] }],
      retries: { backoff_ms: [5, 10] },
      content_safety: rules,
      cache: { semantic: { audit: { share: 0 } } },
    };
    const cluster = await testCluster({ config, env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100', ...env } });
    return new TracedRequest(cluster, collector, provider);
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    await this.provider.close();
    await this.collector.close();
  }

  /** Makes the request, streamed, and resolves to its answer. */
  async make(question = 'Which planet is the second largest of all?'): Promise<Response> {
    await this.keepSimilar();
    const key = await this.newKey();
    this.provider.scriptFor('sk-first', ...Array.from({ length: 4 }, () => status(500)));
    this.provider.scriptFor('sk-second', answer(ANSWER, { beforeFirstByteMs: 40, chunkDelayMs: 5 }));
    const body = { model: 'assistant', messages: [{ role: 'user', content: question }], stream: true, stream_options: { include_usage: true }, temperature: 0.5, max_tokens: 200 };
    return this.ask(body, key, { traceparent: `00-${TRACE_ID}-${CLIENT_SPAN}-01` });
  }

  async ask(body: object, key = this.cluster.key, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(`${this.cluster.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers }, body: JSON.stringify(body) });
    return new Response(await response.text(), response);
  }

  /** Spans of the request's trace, when all of them are there, and the spans of usage-workers that link to it. */
  async spans(): Promise<{ spans: CollectedSpan[]; linked: CollectedSpan[] }> {
    const linked = await eventually('a link from the usage-worker', () => {
      const found = this.collector.spans.filter((span) => span.links.includes(TRACE_ID));
      return found.length > 0 && found;
    });
    const spans = await eventually('every span of the trace', () => {
      const found = this.collector.trace(TRACE_ID);
      const names = found.map(({ name }) => name);
      const ids = new Set([...found.map((span) => span.spanId), CLIENT_SPAN]);
      // The last that end: settlement, and the event that stores the answer.
      return names.includes('deja.settle') && names.includes('semantic-cache.store') && found.every(({ parentSpanId }) => ids.has(parentSpanId ?? '')) && found;
    });
    return { spans, linked };
  }

  /** Another question of the same form is kept, so that a look-up has something to compare with. */
  private async keepSimilar(): Promise<void> {
    const about = (what: string): object => ({ model: 'assistant', messages: [{ role: 'user', content: `Which planet is the ${what} of all?` }], temperature: 0.5, max_tokens: 200 });
    await this.ask(about('hottest'));
    await eventually('a look-up', async () => {
      const reply = await this.ask(about('coldest'), undefined, { 'cache-control': 'no-store' });
      return ['not_verified', 'no_candidate'].includes(reply.headers.get('x-cache-reason') ?? '');
    });
  }

  /** A client key that no gateway has heard of. */
  private async newKey(): Promise<string> {
    const response = await fetch(`${this.cluster.url}/admin/v1/keys`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${this.cluster.adminKey}` }, body: JSON.stringify({ tenant: 'default', name: 'traced' }) });
    const { key } = (await response.json()) as { key?: string };
    if (key === undefined) throw new Error(`no key was made: ${response.status}`);
    return key;
  }
}

/** Spans as a tree in order of their beginning: each with how deep it stands. A span whose parent is not among them is a root. */
export function treeOf(spans: readonly CollectedSpan[]): { span: CollectedSpan; depth: number }[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const below = (parent: string | null, depth: number): { span: CollectedSpan; depth: number }[] =>
    spans
      .filter(({ parentSpanId }) => (parent === null ? parentSpanId === null || !ids.has(parentSpanId) : parentSpanId === parent))
      .sort((a, b) => a.startMs - b.startMs)
      .flatMap((span) => [{ span, depth }, ...below(span.spanId, depth + 1)]);
  return below(null, 0);
}
