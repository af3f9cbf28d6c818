import { normaliseText } from '@deja/cache-key';
import { boughtEmbedder, type BoughtEmbedder } from '@deja/config';
import type { GivenVector } from '@deja/contracts';
import { estimate } from '@deja/tokens';
import type { Question } from '../attempt/attempts.ts';
import type { Shadows } from '../attempt/shadow.ts';
import { embeddingsExchange, unsuitedForEmbeddings } from '../embeddings/embeddings-exchange.ts';
import { inputParts, parseEmbeddingsRequest } from '../embeddings/embeddings-request.ts';
import { asEmbeddings, base64Of, type Vector } from '../embeddings/vectors.ts';
import type { Asking } from '../judge/judge.ts';
import type { Planner } from '../plan/planner.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import type { BuyVector } from './entry.ts';

/** A call that a look-up does not wait for any more goes on for so long: its vector is for the answer that is stored, and for the next who asks. */
const CALL_MS = 5000;
/** Of 1,536 dimensions each has 8 KB as it is kept. */
const MOST_VECTORS = 2000;

/**
 * Vectors of questions from an embedder that a provider runs (`cache.semantic.embedder: <provider>:<model>`). Each call is a shadow
 * attempt of the operation for which it was made; whoever has the same text at the same time, or later, shares what it gave. Not
 * batched: a call has one record, and that is one operation's.
 */
export class BoughtVectors {
  /** By tenant, embedder and text: how long it takes tells nobody what other tenants asked. Least recently used first. */
  private readonly known = new Map<string, GivenVector>();
  private readonly underWay = new Map<string, Promise<GivenVector | null>>();

  constructor(
    private readonly planner: Pick<Planner, 'plan'>,
    private readonly calls: Pick<Shadows, 'ask'>,
    private readonly mostVectors: number = MOST_VECTORS,
  ) {}

  /** How to have the vector of this text; undefined where the semantic-cache embeds by itself. */
  buyer(asking: Asking, embedder: string, text: string): BuyVector | undefined {
    const bought = boughtEmbedder(embedder);
    // Texts that are the same but for case and white space must have one vector, as with the built-in embedder.
    return bought === null ? undefined : () => this.vector(asking, embedder, bought, normaliseText(text));
  }

  private vector(asking: Asking, embedder: string, bought: BoughtEmbedder, text: string): Promise<GivenVector | null> {
    if (text === '') return Promise.resolve(null);
    const key = JSON.stringify([asking.operation.principal?.tenant ?? null, embedder, text]);
    const known = this.known.get(key);
    if (known !== undefined) {
      this.keep(key, known);
      return Promise.resolve(known);
    }
    return this.underWay.get(key) ?? this.begin(key, asking, embedder, bought, text);
  }

  private begin(key: string, asking: Asking, embedder: string, bought: BoughtEmbedder, text: string): Promise<GivenVector | null> {
    const begun = this.buy(asking, bought, text)
      .then((values) => {
        const vector = { embedder, values };
        this.keep(key, vector);
        return vector;
      })
      .catch(() => null) // the attempt's record says why
      .finally(() => this.underWay.delete(key));
    this.underWay.set(key, begun);
    return begun;
  }

  private keep(key: string, vector: GivenVector): void {
    this.known.delete(key);
    this.known.set(key, vector);
    const [oldest] = this.known.keys();
    if (this.known.size > this.mostVectors && oldest !== undefined) this.known.delete(oldest);
  }

  private async buy({ operation, snapshot }: Asking, { provider, model }: BoughtEmbedder, text: string): Promise<string> {
    const request = parseEmbeddingsRequest(parseJsonBody(Buffer.from(JSON.stringify({ model, input: text }))));
    const promptTokens = estimate(inputParts(request.inputs));
    const unsuited: Parameters<Planner['plan']>[1]['unsuited'] = (deployment, upstreamModel) =>
      deployment.provider === provider ? unsuitedForEmbeddings(request, { deployment, upstreamModel }) : { param: null, message: `it is not served by ${provider}` };
    const tenant = operation.principal?.tenant ?? null;
    const { candidates: [candidate] } = this.planner.plan(snapshot, { model, tenant, promptTokens, unsuited, maxAttempts: 1 });
    if (candidate === undefined) throw new Error('a plan has no candidate');
    const exchange: Question['exchange'] = (chosen) => embeddingsExchange(request, request.inputs, chosen);
    const timeouts = { ...snapshot.settings.timeouts, unary_ms: CALL_MS, idle_ms: CALL_MS };
    const reply = await this.calls.ask(operation, { genAiOperation: 'embeddings', stream: false, promptTokens, exchange }, candidate, { ...snapshot.settings, timeouts });
    return valuesOf(asEmbeddings(reply.body, 1).data[0]?.embedding ?? []);
  }
}

/** Little-endian float32 as base64. Throws where there are no numbers. */
function valuesOf(vector: Vector): string {
  const values = typeof vector === 'string' ? vector : base64Of(vector);
  if (values === '') throw new Error('an embedding without numbers');
  return values;
}
