import { checkFilter, isObject, malformed, meets, normalId, Refusal, type Payload, type PointId } from './fake-qdrant-filter.ts';

interface Point {
  id: PointId;
  /** Of length 1, or of zeros. */
  vector: number[];
  payload: Payload;
  version: number;
}

type Json = Record<string, unknown>;

/** One collection with one unnamed vector under cosine, searched exactly. Bodies are those of Qdrant's REST API (openapi.json of version 1.19). */
export class FakeCollection {
  readonly name: string;
  readonly dimensions: number;
  private readonly config: Json;
  private metadata: Json;
  private readonly points = new Map<PointId, Point>();
  private readonly indexes = new Map<string, string>();
  private operations = 0;

  constructor(name: string, config: unknown) {
    const vectors = isObject(config) ? config['vectors'] : undefined;
    if (!isObject(config) || !isObject(vectors) || !Number.isInteger(vectors['size']) || Number(vectors['size']) < 1 || vectors['distance'] !== 'Cosine') {
      throw malformed('data did not match any variant of untagged enum VectorsConfig');
    }
    this.name = name;
    this.config = config;
    this.dimensions = Number(vectors['size']);
    this.metadata = isObject(config['metadata']) ? config['metadata'] : {};
  }

  get info(): Json {
    const { vectors, hnsw_config: hnsw, quantization_config: quantization } = this.config;
    return {
      status: 'green',
      points_count: this.points.size,
      config: {
        params: { vectors },
        ...(hnsw === undefined ? {} : { hnsw_config: hnsw }),
        ...(quantization === undefined ? {} : { quantization_config: quantization }),
        ...(Object.keys(this.metadata).length === 0 ? {} : { metadata: this.metadata }),
      },
      payload_schema: Object.fromEntries([...this.indexes].map(([field, type]) => [field, { data_type: type }])),
    };
  }

  patch(body: Json): boolean {
    if (isObject(body['metadata'])) this.metadata = { ...this.metadata, ...body['metadata'] };
    return true;
  }

  createIndex({ field_name: field, field_schema: schema }: Json): void {
    const type = isObject(schema) ? schema['type'] : schema;
    if (!['keyword', 'integer', 'datetime', 'float', 'bool', 'text', 'uuid', 'geo'].includes(String(type))) throw malformed('data did not match any variant of untagged enum PayloadFieldSchema');
    this.indexes.set(String(field), String(type));
  }

  deleteIndex(field: string): void {
    this.indexes.delete(field);
  }

  upsert(body: Json): void {
    const given = isObject(body['batch']) ? fromBatch(body['batch']) : body['points'];
    if (!Array.isArray(given) || given.length === 0) throw new Refusal(400, 'Bad request: Empty update request');
    const version = ++this.operations;
    const points = given.map((point: Json): Point => ({
      id: normalId(point['id']),
      vector: unit(this.checkedVector(point['vector'], 'data did not match any variant of untagged enum VectorStruct')),
      payload: isObject(point['payload']) ? { ...point['payload'] } : {},
      version,
    }));
    checkFilter(body['update_filter']);
    for (const point of points) {
      const present = this.points.get(point.id);
      if (present !== undefined && (body['update_mode'] === 'insert_only' || !meets(present, body['update_filter']))) continue;
      if (present === undefined && body['update_mode'] === 'update_only') continue;
      this.points.set(point.id, point);
    }
  }

  delete(body: Json): void {
    this.operations++;
    for (const { id } of this.selected(body, 'data did not match any variant of untagged enum PointsSelector')) this.points.delete(id);
  }

  /** Without `key`: members of the payload itself. */
  setPayload(body: Json): void {
    if (body['key'] !== undefined) throw new Refusal(501, 'the fake does not set nested payload');
    this.operations++;
    const { payload } = body;
    if (!isObject(payload)) throw malformed('missing field `payload`');
    for (const point of this.selected(body, 'Either list of point ids or filter must be provided')) Object.assign(point.payload, payload);
    const missing = Array.isArray(body['points']) ? body['points'].find((id) => !this.points.has(normalId(id))) : undefined;
    if (missing !== undefined) throw new Refusal(404, `Not found: No point with id ${String(missing)} found`);
  }

  retrieve(body: Json): Json[] {
    const ids = Array.isArray(body['ids']) ? body['ids'] : [];
    const points = ids.map((id) => this.points.get(normalId(id))).filter((point) => point !== undefined);
    return points.map((point) => shown(point, body, true));
  }

  query(body: Json): Json {
    const { query, using, filter, limit = 10, offset = 0, score_threshold: threshold } = body;
    if (!Array.isArray(query)) throw new Refusal(501, 'the fake queries by vectors alone');
    if (using !== undefined) throw new Refusal(400, `Wrong input: Not existing vector name error: ${typeof using === 'string' ? using : ''}`);
    if (threshold !== undefined && typeof threshold !== 'number') throw malformed(`invalid type: string ${JSON.stringify(threshold)}, expected f32`);
    if (Number(limit) < 1) throw new Refusal(422, `Validation error in JSON body: [internal.limit: value ${String(limit)} invalid, must be 1 or larger]`);
    const asked = unit(this.checkedVector(query, 'Expected some form of vector, id, or a type of query'));
    checkFilter(filter);
    const scored = [...this.points.values()]
      .filter((point) => meets(point, filter))
      .map((point) => ({ point, score: point.vector.reduce((sum, x, at) => sum + x * (asked[at] ?? 0), 0) }))
      .filter(({ score }) => threshold === undefined || score >= threshold)
      .sort((a, b) => b.score - a.score)
      .slice(Number(offset), Number(offset) + Number(limit));
    return { points: scored.map(({ point, score }) => ({ ...shown(point, body, false), version: point.version, score })) };
  }

  scroll(body: Json): Json {
    const { filter, limit = 10, offset, order_by: order } = body;
    checkFilter(filter);
    const meant = [...this.points.values()].filter((point) => meets(point, filter));
    if (order !== undefined && order !== null) return { points: this.ordered(meant, order, Number(limit)).map(({ point, value }) => ({ ...shown(point, body, true), order_value: value })), next_page_offset: null };
    const from = offset === undefined || offset === null ? null : normalId(offset);
    const rest = meant.filter(({ id }) => from === null || !isBefore(id, from)).sort((a, b) => (isBefore(a.id, b.id) ? -1 : 1));
    return { points: rest.slice(0, Number(limit)).map((point) => shown(point, body, true)), next_page_offset: rest[Number(limit)]?.id ?? null };
  }

  count({ filter }: Json): Json {
    checkFilter(filter);
    return { count: [...this.points.values()].filter((point) => meets(point, filter)).length };
  }

  facet({ key, limit = 10, filter }: Json): Json {
    const field = String(key);
    if (!this.indexes.has(field)) throw new Refusal(400, `Bad request: No appropriate index for faceting: \`${field}\`. Please create one to facet on this field.`);
    checkFilter(filter);
    const counts = new Map<string, number>();
    for (const point of this.points.values()) {
      const value = point.payload[field];
      if (typeof value === 'string' && meets(point, filter)) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const hits = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([value, count]) => ({ value, count }));
    return { hits: hits.slice(0, Number(limit)) };
  }

  /** Points without a number there are left out. */
  private ordered(points: Point[], order: unknown, limit: number): { point: Point; value: number }[] {
    const { key, direction = 'asc' } = isObject(order) ? order : { key: order };
    const field = String(key);
    if (this.indexes.get(field) !== 'integer' && this.indexes.get(field) !== 'float') {
      throw new Refusal(400, `Wrong input: No range index for \`order_by\` key: \`${field}\`. Please create one to use \`order_by\`. Check https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas support Range conditions`);
    }
    const sign = direction === 'desc' ? -1 : 1;
    return points
      .flatMap((point) => (typeof point.payload[field] === 'number' ? [{ point, value: point.payload[field] }] : []))
      .sort((a, b) => sign * (a.value - b.value) || (isBefore(a.point.id, b.point.id) ? -1 : 1))
      .slice(0, limit);
  }

  private selected({ points, filter }: Json, otherwise: string): Point[] {
    if (Array.isArray(points)) return points.map((id) => this.points.get(normalId(id))).filter((point) => point !== undefined);
    if (filter === undefined || filter === null) throw malformed(otherwise);
    checkFilter(filter);
    return [...this.points.values()].filter((point) => meets(point, filter)); // an empty filter is met by all
  }

  private checkedVector(vector: unknown, otherwise: string): number[] {
    if (isObject(vector)) throw new Refusal(400, `Wrong input: Not existing vector name error: ${Object.keys(vector)[0]}`);
    if (!Array.isArray(vector) || !vector.every((x) => typeof x === 'number')) throw malformed(otherwise);
    if (vector.length !== this.dimensions) throw new Refusal(400, `Wrong input: Vector dimension error: expected dim: ${this.dimensions}, got ${vector.length}`);
    return vector;
  }
}

function fromBatch({ ids, vectors, payloads }: Json): Json[] {
  const at = (values: unknown, n: number): unknown => (Array.isArray(values) ? values[n] : undefined);
  return (Array.isArray(ids) ? ids : []).map((id, n) => ({ id, vector: at(vectors, n), payload: at(payloads, n) }));
}

function unit(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((x) => x / length);
}

const isBefore = (a: PointId, b: PointId): boolean => (typeof a === typeof b ? a < b : typeof a === 'number');

/** @param byDefault whether the payload is shown where the request does not say */
function shown({ id, payload, vector }: Point, { with_payload: wanted, with_vector: withVector }: Json, byDefault: boolean): Json {
  const only = (names: unknown, isIn: boolean): Payload => Object.fromEntries(Object.entries(payload).filter(([name]) => Array.isArray(names) && names.includes(name) === isIn));
  const part = Array.isArray(wanted) ? only(wanted, true) : isObject(wanted) ? ('exclude' in wanted ? only(wanted['exclude'], false) : only(wanted['include'], true)) : payload;
  return { id, ...((wanted ?? byDefault) === false ? {} : { payload: structuredClone(part) }), ...(withVector === true ? { vector: [...vector] } : {}) };
}
