import type { ProviderKind } from '@deja/contracts';

/** What is known of models: by provider as models.csv names it, then by the model's name there. */
export type ModelLists<T> = ReadonlyMap<string, ReadonlyMap<string, T>>;

/** An upstream model as a deployment names it. */
export interface UpstreamModel {
  provider: string;
  kind: ProviderKind;
  upstreamModel: string;
}

/** `-2024-07-18` as OpenAI and `-20241022` as Anthropic name a model's snapshots. */
const DATE_AT_END = /-20\d\d(-?)(0[1-9]|1[0-2])\1(0[1-9]|[12]\d|3[01])$/;

/** What the lists say of a model, null when they do not name it. A dated snapshot without a row of its own is its model. */
export function listed<T>(lists: ModelLists<T>, o: UpstreamModel): T | null {
  // Gemini's own list calls its models `models/…`.
  const model = o.kind === 'gemini' ? o.upstreamModel.replace(/^models\//, '') : o.upstreamModel;
  const providers = providersFor(lists, o);
  return firstOf(lists, providers, model) ?? (DATE_AT_END.test(model) ? firstOf(lists, providers, withoutDate(model)) : null);
}

/** The name of the model that a snapshot is one of; another name stays as it is. */
export const withoutDate = (model: string): string => model.replace(DATE_AT_END, '');

/** By the list that was asked and the configured name of the provider; names come from configuration, so there are few. */
const openAiProviders = new WeakMap<ModelLists<unknown>, Map<string, string[]>>();
const MOST_NAMES = 10_000;

/** Which providers' rows apply, in order. Many vendors speak OpenAI's language; their configured name says whose rows hold. */
function providersFor(lists: ModelLists<unknown>, { provider, kind }: Pick<UpstreamModel, 'provider' | 'kind'>): string[] {
  switch (kind) {
    case 'anthropic':
      return ['anthropic'];
    case 'gemini':
      return ['google'];
    case 'azure-openai':
      return ['openai', 'azure'];
    case 'openai': {
      let known = openAiProviders.get(lists);
      if (known === undefined) openAiProviders.set(lists, (known = new Map()));
      const before = known.get(provider);
      if (before !== undefined) return before;
      const named = provider.toLowerCase().split(/[^a-z0-9]+/).filter((word) => word !== 'openai' && lists.has(word));
      if (known.size >= MOST_NAMES) known.clear();
      known.set(provider, [...named, 'openai']);
      return [...named, 'openai'];
    }
    case 'simulated':
      return [];
  }
}

function firstOf<T>(lists: ModelLists<T>, providers: string[], model: string): T | null {
  for (const provider of providers) {
    const found = lists.get(provider)?.get(model);
    if (found) return found;
  }
  return null;
}
