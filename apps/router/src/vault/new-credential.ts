import type { ProviderConfig } from '@deja/config';
import { DejaError, type NewCredential } from '@deja/contracts';

/** As names in deja.yaml. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const LARGEST_VALUE_BYTES = 8 * 1024;
const LARGEST_WEIGHT = 1_000_000;
/** Of a shorter value four characters would be too much. */
const SHORTEST_WITH_LAST_FOUR = 20;

/** What is wrong with an address for a credential's requests, as the end of a sentence (`must start with https://`); null when nothing is. */
export type CheckAddress = (baseUrl: string) => string | null;

/** Checks all that is said of a new credential besides its value, and gives its address as it is kept. Throws `invalid_value`, or `conflict` for a name that is taken, naming the field as the admin API spells it. */
export function checkNewCredential(credential: NewCredential, providers: ProviderConfig[], checkAddress: CheckAddress): { baseUrl: string | null } {
  const provider = providers.find(({ name }) => name === credential.provider);
  // Not quoted: what names nothing may be a value that got into the wrong field.
  if (provider === undefined) throw refused('provider', 'There is no provider of this name: give one that the configuration has.');
  if (provider.kind === 'simulated') throw refused('provider', 'The simulated provider needs no credentials.');
  if (!NAME.test(credential.name)) throw refused('name', 'A name has letters, digits, ".", "_" and "-", and is at most 63 long.');
  if (provider.credentials.some(({ name }) => name === credential.name)) throw nameTaken(credential.name);
  checkWeight(credential.weight);
  if (credential.baseUrl === null) {
    if (provider.baseUrl === '') throw refused('base_url', 'The provider has no address of its own: name the one that this credential is for.');
    return { baseUrl: null };
  }
  const baseUrl = credential.baseUrl.replace(/\/+$/, '');
  // What stands behind one of these, be it nothing, would end up before the path that is appended.
  const problem = /[?#]/.test(baseUrl) ? 'must end before any ? or #' : checkAddress(baseUrl);
  if (problem !== null) throw refused('base_url', `The address will not do: it ${problem}.`);
  return { baseUrl };
}

export function checkWeight(weight: number): void {
  if (!(weight >= 0 && weight <= LARGEST_WEIGHT)) throw refused('weight', `A weight is a number from 0 to ${LARGEST_WEIGHT}.`);
}

/** What providers' keys are made of, and what fits in an HTTP header. Throws `invalid_value`. Returns what may be shown of it. */
export function checkValue(value: Uint8Array): { lastFour: string } {
  if (value.length === 0) throw refused('value', 'The value is empty.');
  if (value.length > LARGEST_VALUE_BYTES) throw refused('value', `The value is longer than ${LARGEST_VALUE_BYTES} characters.`);
  if (value.some((byte) => byte < 0x21 || byte > 0x7e)) throw refused('value', 'The value must be printable ASCII without blanks.');
  return { lastFour: lastFourOf(Buffer.from(value.subarray(-4)).toString(), value.length) };
}

/** The end of a value, or nothing where that would be too much of it. */
export function lastFourOf(text: string, length: number): string {
  return length < SHORTEST_WITH_LAST_FOUR ? '' : text.slice(-4);
}

/** In routing and in the ledger a credential is `provider/name`: no two have it, whosever they are. */
export const nameTaken = (name: string, cause?: unknown): DejaError =>
  new DejaError('conflict', `There is a credential ${JSON.stringify(name)} of this provider already, this tenant's or anyone's: choose another name.`, { param: 'name', cause });

export const refused = (param: string, message: string, cause?: unknown): DejaError => new DejaError('invalid_value', message, { param, cause });
