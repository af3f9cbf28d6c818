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
  const providers = providersFor(lists, o.provider, o.kind);
  return firstOf(lists, providers, model) ?? (DATE_AT_END.test(model) ? firstOf(lists, providers, withoutDate(model)) : null);
}

/** The name of the model that a snapshot is one of; another name stays as it is. */
export const withoutDate = (model: string): string => model.replace(DATE_AT_END, '');

/** Which providers' rows apply, in order. Many vendors speak OpenAI's language; their configured name says whose rows hold. */
function providersFor(lists: ModelLists<unknown>, provider: string, kind: ProviderKind): string[] {
  switch (kind) {
    case 'anthropic':
      return ['anthropic'];
    case 'gemini':
      return ['google'];
    case 'azure-openai':
      return ['openai', 'azure'];
    case 'openai': {
      const named = provider.toLowerCase().split(/[^a-z0-9]+/).filter((word) => word !== 'openai' && lists.has(word));
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
