/** A refusal as the server words it. Plain text where the real one answers plain text. */
export class Refusal extends Error {
  readonly status: number;
  readonly plain: boolean;

  constructor(status: number, message: string, plain = false) {
    super(message);
    this.status = status;
    this.plain = plain;
  }
}

export type PointId = string | number;
export type Payload = Record<string, unknown>;
interface StoredPoint {
  id: PointId;
  payload: Payload;
}

type Json = Record<string, unknown>;
export const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
export const malformed = (message: string): Refusal => new Refusal(400, `Format error in JSON body: ${message}`);

const CLAUSES = ['should', 'min_should', 'must', 'must_not'];

/** Whether a point meets a filter of Qdrant's: must, should, must_not over match (value, any), range, is_empty, has_id and filters within. Throws a Refusal for what the server refuses. */
export function meets(point: StoredPoint, filter: unknown): boolean {
  if (filter === undefined || filter === null) return true;
  const { must, should, must_not: mustNot } = checkedFilter(filter);
  return (
    list(must).every((condition) => holds(point, condition)) &&
    !list(mustNot).some((condition) => holds(point, condition)) &&
    (list(should).length === 0 || list(should).some((condition) => holds(point, condition)))
  );
}

/** Throws what the server refuses, also where there is no point to hold against it. */
export function checkFilter(filter: unknown): void {
  meets({ id: 0, payload: {} }, filter);
  if (!isObject(filter)) return;
  // Every condition, not only those until the first that fails.
  for (const condition of CLAUSES.flatMap((clause) => list(filter[clause]))) holds({ id: 0, payload: {} }, condition);
}

function checkedFilter(filter: unknown): Json {
  if (!isObject(filter)) throw malformed('expected a filter');
  const unknown = Object.keys(filter).find((clause) => !CLAUSES.includes(clause));
  if (unknown !== undefined) throw malformed(`unknown field \`${unknown}\`, expected one of ${CLAUSES.map((clause) => `\`${clause}\``).join(', ')}`);
  if (filter['min_should'] !== undefined) throw new Refusal(501, 'the fake does not know min_should');
  return filter;
}

const list = (conditions: unknown): unknown[] => (conditions === undefined || conditions === null ? [] : [conditions].flat());

function holds(point: StoredPoint, condition: unknown): boolean {
  if (!isObject(condition)) throw malformed('expected a condition');
  if (CLAUSES.some((clause) => clause in condition)) return meets(point, condition);
  if (Array.isArray(condition['has_id'])) return condition['has_id'].map((id) => normalId(id)).includes(point.id);
  if (isObject(condition['is_empty'])) return isEmpty(point.payload[String(condition['is_empty']['key'])]);
  const { key, match, range } = condition;
  if (typeof key !== 'string' || (match === undefined && range === undefined)) {
    throw new Refusal(422, 'Validation error in JSON body: [internal.filter: Validation error: At least one field condition must be specified [{}]]');
  }
  const values = [point.payload[key]].flat();
  return match === undefined ? values.some(inRange(range)) : values.some(matches(match));
}

const isEmpty = (value: unknown): boolean => value === undefined || value === null || (Array.isArray(value) && value.length === 0);

/** Values of another type are no match, and no error. */
function matches(match: unknown): (value: unknown) => boolean {
  if (isObject(match) && Array.isArray(match['any'])) {
    const any = match['any'];
    return (value) => any.includes(value);
  }
  if (isObject(match) && 'value' in match) return (value) => value === match['value'];
  throw malformed('data did not match any variant of untagged enum Match');
}

const COMPARISONS: Record<string, (value: number, bound: number) => boolean> = {
  gt: (value, bound) => value > bound,
  gte: (value, bound) => value >= bound,
  lt: (value, bound) => value < bound,
  lte: (value, bound) => value <= bound,
};

function inRange(range: unknown): (value: unknown) => boolean {
  if (!isObject(range)) throw malformed('expected a range');
  const bounds = Object.entries(range).filter(([, bound]) => bound !== null).map(([name, bound]) => {
    const compare = COMPARISONS[name];
    if (compare === undefined) throw malformed(`unknown field \`${name}\``);
    const number = typeof bound === 'number' ? bound : Date.parse(String(bound));
    if (Number.isNaN(number)) throw malformed(`'${String(bound)}' does not match accepted datetime format (RFC3339). Example: 2014-01-01T00:00:00Z`);
    return { compare, number, type: typeof bound };
  });
  return (value) =>
    bounds.every(({ compare, number, type }) => typeof value === type && compare(typeof value === 'number' ? value : Date.parse(String(value)), number));
}

/** A number, or a UUID in lower case with hyphens. */
export function normalId(id: unknown): PointId {
  if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0) return id;
  const hex = String(id).replaceAll('-', '').toLowerCase();
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(hex)) throw malformed(`value ${String(id)} is not a valid point ID, valid values are either an unsigned integer or a UUID`);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
