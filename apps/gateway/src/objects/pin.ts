import { DejaError, type StoredObject } from '@deja/contracts';
import { referencedIds } from './references.ts';
import type { StoredObjects } from './stored-objects.ts';

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
export async function pinOf(objects: Pick<StoredObjects, 'findAll'>, tenant: string, body: Record<string, unknown>): Promise<Pin | null> {
  const references = referencedIds(body);
  if (references.length === 0) return null;
  const found = await objects.findAll(tenant, references.map(({ id }) => id));
  let pin: StoredObject | null = null;
  for (const { id, path } of references) {
    const object = found.get(id);
    if (object === undefined) throw new DejaError('invalid_value', `Invalid value for '${path}': there is no object '${id.slice(0, 64)}'.`, { param: path });
    pin ??= object;
    if (object.provider !== pin.provider || object.credential !== pin.credential) {
      throw new DejaError('invalid_value', 'The request refers to objects that are stored in different provider accounts.', { param: path });
    }
  }
  return pin && { provider: pin.provider, deployment: pin.deployment, credential: pin.credential };
}
