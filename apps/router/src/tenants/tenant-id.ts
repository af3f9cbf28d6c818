const LONGEST = 63;
/** Leaves room for a number. */
const LONGEST_MADE = 56;
const NAMELESS = 'tenant';

/** In Redis it stands for everybody together, beside the ids of tenants. */
const RESERVED = new Set(['global']);

export const isReserved = (id: string): boolean => RESERVED.has(id);

/** An id (`[a-z0-9-]`, at most 63 long) made of a name: what can be read of it, without accents. */
export function tenantIdOf(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const id = plain.replace(/[^a-z0-9]+/g, '-').slice(0, LONGEST_MADE).replace(/^-+|-+$/g, '');
  return id === '' ? NAMELESS : id;
}

/** The id itself where nobody has it, or else with the first free number behind it. @param taken ids that begin with it */
export function freeId(id: string, taken: Iterable<string>): string {
  const known = new Set(taken);
  const isFree = (candidate: string): boolean => !known.has(candidate) && !isReserved(candidate);
  if (isFree(id)) return id;
  for (let number = 2; ; number++) {
    const candidate = `${id.slice(0, LONGEST - String(number).length - 1)}-${number}`;
    if (isFree(candidate)) return candidate;
  }
}
