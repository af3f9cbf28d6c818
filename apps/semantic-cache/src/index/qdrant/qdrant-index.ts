import type { Invalidation, SemanticPartition } from '@deja/contracts';
import type { Schemas } from '@qdrant/js-client-rest';
import type { Candidate, IndexEntry, Search, VectorIndex } from '../entry.ts';
import { collectionNames, prepareCollection, type CollectionNames, type Embedder } from './collection.ts';
import { exposesKey, QdrantConnection, type ConnectionOptions } from './connection.ts';
import { QdrantFailure } from './failure.ts';
import { covered, guarded, live, livePartition, over, superseded, type Filter } from './filters.ts';
import { entryOf, foreignness, payloadOf, pointId, type ForeignReason, type Wanted } from './payload.ts';
import { TenantBounds, type Bounds } from './tenant-bounds.ts';
import { UpsertBatches, type Point } from './upsert-batches.ts';

export interface QdrantIndexOptions extends Pick<ConnectionOptions, 'url' | 'now' | 'wait'> {
  apiKey?: string | null;
  embedder: Embedder;
  /** For a search: 150 by default. */
  timeoutMs?: number;
  /** For all else: 30,000 by default. */
  writeTimeoutMs?: number;
  bounds: Bounds;
  logger: { info(facts: object, message: string): void; warn(facts: object, message: string): void };
  /** Called for each point that was found and may not be served, which a filter should have kept out. */
  onForeign?: (reason: ForeignReason) => void;
  /** How the names of the collections begin: `deja` by default. */
  prefix?: string;
}

const PREFIX = 'deja';
const TIMEOUT_MS = 150;
const WRITE_TIMEOUT_MS = 30_000;
const FIRST_START_PAUSE_MS = 500;
const LONGEST_START_PAUSE_MS = 30_000;
/** So long an entry waits for the collection: shorter than anybody else would need to try it again. */
const ADD_WAITS_MS = 10_000;
/** Scores of quantised vectors are off by up to .007, so the nearest are scored again by the whole vectors. */
const PARAMS: Schemas['SearchParams'] = { quantization: { rescore: true, oversampling: 2 } };
/** What the server may leave out before scoring again. The floor itself is applied here. */
const FLOOR_MARGIN = 0.02;

/**
 * The entries of one embedder in a Qdrant collection, which any number of replicas share. `start` begins to prepare the collection and goes on trying:
 * until then, and whenever the server is away, every method rejects with a QdrantFailure, and the caller has a miss.
 */
export class QdrantIndex implements VectorIndex {
  /** How many entries there were at the last sweep. */
  size = 0;
  private readonly options: QdrantIndexOptions;
  private readonly names: CollectionNames;
  private readonly connection: QdrantConnection;
  private readonly batches: UpsertBatches;
  private readonly tenantBounds: TenantBounds;
  private bounds: Bounds;
  private ready = Promise.withResolvers<void>();
  private state: 'new' | 'preparing' | 'prepared' = 'new';
  private lastAddedAtMicros = 0;

  constructor(options: QdrantIndexOptions) {
    const { url, apiKey = null, timeoutMs = TIMEOUT_MS, writeTimeoutMs = WRITE_TIMEOUT_MS, now, wait, embedder, prefix = PREFIX, bounds, logger } = options;
    this.options = options;
    this.names = collectionNames(embedder, prefix);
    this.connection = new QdrantConnection({ url, apiKey, timeoutMs, writeTimeoutMs, now, ...(wait === undefined ? {} : { wait }) });
    this.batches = new UpsertBatches((points) => this.upsert(points));
    this.tenantBounds = new TenantBounds(this.connection, this.names.alias);
    this.bounds = bounds;
    if (exposesKey({ url, apiKey })) logger.warn({}, 'the key of Qdrant crosses the network unencrypted: let QDRANT_URL begin with https://');
  }

  /** Begins to prepare the collection. Never rejects: what goes wrong is logged and tried again, at last every 30 s. */
  start(): void {
    if (this.state !== 'new') return;
    this.state = 'preparing';
    void this.prepare();
  }

  /** Resolves when the collection is prepared. */
  whenReady(): Promise<void> {
    return this.ready.promise;
  }

  /** Whether searches may be expected to succeed: prepared, and the latest request was answered. */
  isUp(): boolean {
    return this.state === 'prepared' && this.connection.answers;
  }

  /** Sends what is being collected, and begins nothing more. */
  async close(): Promise<void> {
    await this.batches.settle();
    this.connection.close();
  }

  /** Other bounds, from the next sweep on. */
  limit(bounds: Bounds): void {
    this.bounds = bounds;
  }

  /**
   * Resolves when the entry is findable by all replicas; waits a while for a collection that is being prepared. One whose answer alone is more than its
   * tenant may keep is not taken: it would cost the tenant all others.
   */
  async add(entry: IndexEntry, vector: Float32Array): Promise<void> {
    if (!this.isUsable(vector) || (entry.bytes ?? 0) > this.bounds.maxBytesPerTenant) return;
    if (this.state !== 'prepared') await Promise.race([this.ready.promise, this.connection.pause(ADD_WAITS_MS)]);
    this.assertPrepared();
    await this.batches.add({ id: pointId(entry), vector: Array.from(vector), payload: payloadOf(entry, this.options.embedder.name, this.nextMicros()) });
  }

  async search(partition: SemanticPartition, search: Search): Promise<Candidate[]> {
    if (!this.isUsable(search.vector)) return [];
    const wanted: Wanted = { embedder: this.options.embedder.name, tenant: partition.tenant, partition, nowMs: search.nowMs };
    const points = await this.attempt(() => this.connection.query((client) => client.query(this.names.alias, this.queryOf(search, livePartition(partition, search.nowMs)))));
    return this.candidates(points.points, search, wanted);
  }

  /** Has the longer time-out: nobody's request waits for it. */
  async searchAll(tenant: string | null, search: Search): Promise<Candidate[]> {
    if (!this.isUsable(search.vector)) return [];
    const wanted: Wanted = { embedder: this.options.embedder.name, tenant, partition: null, nowMs: search.nowMs };
    const points = await this.attempt(() => this.connection.write((client) => client.query(this.names.alias, this.queryOf(search, live(tenant, search.nowMs)))));
    return this.candidates(points.points, search, wanted);
  }

  /** Also in the collections of other embedders: nobody else may be there to do it. */
  async invalidate(invalidation: Invalidation): Promise<void> {
    await this.batches.settle(); // what came before it must not come after it
    await this.deleteEverywhere(covered(invalidation));
  }

  /** What is over goes from the collections of other embedders as well, which may have no replica any more. */
  async sweep(nowMs: number): Promise<void> {
    await this.deleteEverywhere(over(nowMs));
    this.size = await this.attempt(() => this.tenantBounds.enforce(this.bounds));
  }

  private queryOf({ vector, limit, floor }: Search, filter: Filter): Schemas['QueryRequest'] {
    return { query: Array.from(vector), filter, limit, score_threshold: floor - FLOOR_MARGIN, params: PARAMS, with_payload: true };
  }

  /** Best first, one of each words: while an older answer is being taken away, both may be found. */
  private candidates(points: readonly Schemas['ScoredPoint'][], { floor }: Search, wanted: Wanted): Candidate[] {
    const byWords = new Map<string, Candidate>();
    for (const { payload, score } of points) {
      const found = entryOf(payload);
      const foreign = foreignness(found, wanted);
      if (foreign !== null || found === null) {
        this.options.onForeign?.(foreign ?? 'unreadable');
        continue;
      }
      if (!(score >= floor)) continue;
      const other = byWords.get(found.words);
      if (other === undefined || createdAtMs(found.entry) > createdAtMs(other.entry)) byWords.set(found.words, { entry: found.entry, similarity: Math.min(Math.max(score, -1), 1) });
    }
    return [...byWords.values()].sort((a, b) => b.similarity - a.similarity);
  }

  /** One request that changes nothing where the id is there already, and takes away what the new points take the place of. */
  private async upsert(points: readonly Point[]): Promise<void> {
    const operations: Schemas['UpdateOperation'][] = [
      { upsert: { points: [...points], update_mode: 'insert_only' } },
      { delete: { filter: guarded(superseded(points)) } },
    ];
    await this.attempt(() => this.connection.write((client) => client.batchUpdate(this.names.alias, { wait: true, operations })));
  }

  private async deleteEverywhere(filter: Filter): Promise<void> {
    const where = guarded(filter);
    const deleteIn = (collection: string) => this.connection.write((client) => client.delete(collection, { wait: true, filter: where }));
    await this.attempt(() => deleteIn(this.names.alias));
    const { prefix = PREFIX } = this.options;
    const { collections } = await this.connection.write((client) => client.getCollections());
    for (const { name } of collections) {
      if (!name.startsWith(`${prefix}_`) || name === this.names.collection) continue;
      try {
        await deleteIn(name);
      } catch (error) {
        // Deleted meanwhile, or not ours at all.
        if (!(error instanceof QdrantFailure) || (error.trouble !== 'missing' && error.trouble !== 'refused')) throw error;
      }
    }
  }

  private async prepare(): Promise<void> {
    for (let pauseMs = FIRST_START_PAUSE_MS; !this.connection.signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_START_PAUSE_MS)) {
      try {
        await prepareCollection(this.connection, this.names, this.options.embedder);
        this.state = 'prepared';
        this.options.logger.info({ collection: this.names.alias }, 'the Qdrant index is ready');
        return this.ready.resolve();
      } catch (error) {
        this.options.logger.warn({ err: error, collection: this.names.alias, againInMs: pauseMs }, 'the Qdrant index cannot be prepared: no semantic answers meanwhile');
        await this.connection.pause(pauseMs);
      }
    }
  }

  private assertPrepared(): void {
    if (this.state !== 'prepared') throw new QdrantFailure('not_ready', 'the Qdrant index is not ready yet');
  }

  /** A collection that somebody deleted is prepared anew. */
  private async attempt<T>(request: () => Promise<T>): Promise<T> {
    this.assertPrepared();
    try {
      return await request();
    } catch (error) {
      if (error instanceof QdrantFailure && error.trouble === 'missing' && this.state === 'prepared') {
        this.state = 'new';
        this.ready = Promise.withResolvers();
        this.start();
      }
      throw error;
    }
  }

  /** A zero vector would be as near to everything as to nothing; the server takes it without a word. Throws a RangeError for one of other dimensions. */
  private isUsable(vector: Float32Array): boolean {
    const { dimensions } = this.options.embedder;
    if (vector.length !== dimensions) throw new RangeError(`a vector of ${vector.length} dimensions, where the index has ${dimensions}`);
    return vector.every((x) => Number.isFinite(x)) && vector.some((x) => x !== 0);
  }

  /** Later than the last, so that of two entries of one microsecond the second is the newer. */
  private nextMicros(): number {
    this.lastAddedAtMicros = Math.max(Math.trunc(this.options.now() * 1000), this.lastAddedAtMicros + 1);
    return this.lastAddedAtMicros;
  }
}

const createdAtMs = (entry: IndexEntry): number => entry.made?.createdAtMs ?? 0;
