import { DejaError } from '@deja/contracts';
import { referencedIds, type Reference } from './references.ts';
import type { Known, StoredObjects } from './stored-objects.ts';

/** The account that holds everything a request refers to. */
export interface Pin {
  provider: string;
  deployment: string;
  credential: string | null;
}

/**
 * Where a request has to go because of the stored objects it names; null when it names none. Throws a 400, as OpenAI
 * does for an id in a body that it does not know, for an object that is not this tenant's; and when the objects lie in different
 * accounts, because no provider could serve that.
 */
export function pinOf(objects: Pick<StoredObjects, 'findAll' | 'findParts'>, tenant: string, body: Record<string, unknown>): Promise<Pin | null> | null {
  const references = referencedIds(body);
  return references.length === 0 ? null : pinOfAll(objects, tenant, references);
}

async function pinOfAll(objects: Pick<StoredObjects, 'findAll' | 'findParts'>, tenant: string, references: readonly Reference[]): Promise<Pin | null> {
  const idsOf = (arePartsWanted: boolean): string[] => references.filter((reference) => isPart(reference) === arePartsWanted).map(({ id }) => id);
  const [found, parts] = await Promise.all([objects.findAll(tenant, idsOf(false)), objects.findParts(tenant, idsOf(true))]);
  let pin: Known | null = null;
  for (const reference of references) {
    const { id, path } = reference;
    const object = (isPart(reference) ? parts : found).get(id);
    if (object === undefined) throw new DejaError('invalid_value', `Invalid value for '${path}': there is no object '${id.slice(0, 64)}'.`, { param: path });
    pin ??= object;
    if (object.provider !== pin.provider || object.credential !== pin.credential) {
      throw new DejaError('invalid_value', 'The request refers to objects that are stored in different provider accounts.', { param: path });
    }
  }
  return pin && { provider: pin.provider, deployment: pin.deployment, credential: pin.credential };
}

const isPart = ({ kind }: Reference): boolean => kind === 'item' || kind === 'audio';
