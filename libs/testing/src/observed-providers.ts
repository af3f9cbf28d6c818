import { answer, fakeProvider, status, type FakeProvider, type ProviderRequest, type Step } from './fake-provider.ts';

/** Asked whether two texts say the same. */
export const JUDGE = 'gpt-4.1-nano';
/** A model that the second provider alone serves well: the first one fails at most calls of it. */
export const UNSTEADY = 'o4-mini';
/** The same, with nobody to take its place. */
export const ALONE = 'unsteady-alone';
/** Nobody knows what it costs. */
export const UNPRICED = 'in-house-7b';

/** Two providers that have good days and bad ones. */
export class ObservedProviders {
  private readonly alpha: FakeProvider;
  private readonly beta: FakeProvider;

  private constructor(alpha: FakeProvider, beta: FakeProvider) {
    this.alpha = alpha;
    this.beta = beta;
  }

  static async start(): Promise<ObservedProviders> {
    const [alpha, beta] = await Promise.all([fakeProvider({ otherwise: alphaAnswers }), fakeProvider({ otherwise: betaAnswers })]);
    return new ObservedProviders(alpha, beta);
  }

  /** deja.yaml: two providers, some of whose credentials are limited or empty; models with fallbacks, a shadow, a judge; everything captured, much audited. */
  configuration(): object {
    const provider = ({ url }: FakeProvider, credentials: object[]): object => ({ kind: 'openai', server: 'openai', base_url: url, credentials });
    const both = (model: string, more: object = {}): object => ({ name: model, deployments: [{ provider: 'alpha', model }, { provider: 'beta', model, priority: 2 }], ...more });
    return {
      providers: {
        alpha: provider(this.alpha, [{ name: 'main', value: 'sk-alpha-main', weight: 4 }, { name: 'small', value: 'sk-alpha-small' }]),
        beta: provider(this.beta, [{ name: 'main', value: 'sk-beta-main', weight: 4 }, { name: 'empty', value: 'sk-beta-empty' }]),
      },
      models: [
        both('gpt-4o-mini'), both(UNSTEADY),
        { name: 'gpt-4o', deployments: [{ provider: 'alpha', model: 'gpt-4o' }, { provider: 'beta', model: 'gpt-4o' }, { provider: 'beta', model: 'gpt-4.1-mini', shadow: 0.5 }] },
        { name: ALONE, deployments: [{ provider: 'alpha', model: UNSTEADY }] },
        { name: JUDGE, deployments: [{ provider: 'beta', model: JUDGE }] },
        { name: UNPRICED, deployments: [{ provider: 'beta', model: UNPRICED }] },
        { name: 'text-embedding-3-small', deployments: [{ provider: 'alpha', model: 'text-embedding-3-small' }] },
      ],
      breaker: { pause_ms: [2000, 8000] },
      cache: { semantic: { audit: { share: 0.2, max_per_hour: 10_000 }, judge: { model: JUDGE, timeout_ms: 2000 } } },
    };
  }

  async stop(): Promise<void> {
    await Promise.all([this.alpha.close(), this.beta.close()]);
  }
}

function alphaAnswers(request: ProviderRequest): Step {
  if (request.credential === 'sk-alpha-small') return status(429, { 'retry-after': '2' });
  if (modelOf(request) === UNSTEADY && request.n % 4 !== 0) return status(500);
  return said(request, 20);
}

function betaAnswers(request: ProviderRequest): Step {
  if (request.credential === 'sk-beta-empty') return status(429, {}, { error: { message: 'You exceeded your current quota.', type: 'insufficient_quota', param: null, code: 'insufficient_quota' } });
  if (modelOf(request) === JUDGE) return answer('same', { beforeFirstByteMs: 5 });
  return said(request, 45);
}

/** Slower and quicker by turns, so that quantiles differ. */
function said({ n, rawBody }: ProviderRequest, fromMs: number): Step {
  const beforeFirstByteMs = fromMs + ((n * 37) % 60);
  return answer('This is what the model has to say about it, in a few words that are counted.', { beforeFirstByteMs, chunkDelayMs: 2, usage: { promptTokens: 200 + rawBody.length, completionTokens: 80 + (n % 40) } });
}

function modelOf({ body }: ProviderRequest): string {
  return typeof body === 'object' && body !== null && 'model' in body ? String(body.model) : '';
}
