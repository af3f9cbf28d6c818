import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import type { QdrantConnection } from './connection.ts';
import { QdrantFailure } from './failure.ts';

/** Goes up when the payload or its indexes change their meaning: such a collection is built beside the old one. */
export const SCHEMA_VERSION = 1;

export interface Embedder {
  /** With its version, as `static-256@1`. */
  name: string;
  dimensions: number;
}

/** Entries are read and written through the alias, so that it can be turned to another collection in one step. */
export interface CollectionNames {
  alias: string;
  collection: string;
}

/**
 * `deja_static-256_1_256` and `deja_static-256_1_256_v1`: characters that a name may not have become `_`. Where two embedders would come to one name by
 * that, `metadata` tells whose the collection is.
 */
export function collectionNames({ name, dimensions }: Embedder, prefix: string): CollectionNames {
  const alias = `${prefix}_${name.replace(/[^A-Za-z0-9.-]/g, '_')}_${dimensions}`;
  return { alias, collection: `${alias}_v${SCHEMA_VERSION}` };
}

const HNSW_M = 16;

/**
 * Only searches within a tenant need to be fast, so there is no graph over all points, but one over each tenant's (and each large fingerprint's).
 * Graphs over the other fields would cost their building, and nobody would walk them.
 */
const INDEXES: Record<string, Schemas['PayloadFieldSchema']> = {
  tenant: { type: 'keyword', is_tenant: true },
  fingerprint: { type: 'keyword' },
  scope: { type: 'keyword', enable_hnsw: false },
  entry: { type: 'keyword', enable_hnsw: false },
  words: { type: 'keyword', enable_hnsw: false },
  models: { type: 'keyword', enable_hnsw: false },
  tags: { type: 'keyword', enable_hnsw: false },
  created_at: { type: 'integer', lookup: false, range: true, enable_hnsw: false },
  added_at: { type: 'integer', lookup: false, range: true, enable_hnsw: false },
  expires_at: { type: 'integer', lookup: false, range: true, enable_hnsw: false },
};

/**
 * Makes sure that there is a collection for this embedder behind the alias. Any number of replicas may do so at once. An alias that leads elsewhere
 * is left there if that collection is of the same embedder and schema (somebody re-indexed), and turned if it is of an older schema. Throws
 * QdrantFailure, also (`refused`) where the collection is another embedder's or a later version's.
 */
export async function prepareCollection(connection: QdrantConnection, names: CollectionNames, embedder: Embedder): Promise<void> {
  const behind = await connection.write(async (client) => {
    await client.getCollections(); // asks for the key, unlike the server's root
    return (await client.getAliases()).aliases.find(({ alias_name: name }) => name === names.alias)?.collection_name ?? null;
  });
  if (behind !== null && behind !== names.collection && (await schemaOf(connection, behind, embedder)) === SCHEMA_VERSION) return createIndexes(connection, behind);
  await createCollection(connection, names.collection, embedder);
  const schema = await schemaOf(connection, names.collection, embedder);
  if (schema !== SCHEMA_VERSION) throw new QdrantFailure('refused', `the collection ${names.collection} is of schema ${schema}, not ${SCHEMA_VERSION}`);
  await createIndexes(connection, names.collection);
  if (behind === names.collection) return;
  await connection.write((client) => client.updateCollectionAliases({ actions: [{ create_alias: { collection_name: names.collection, alias_name: names.alias } }] }));
}

async function createCollection(connection: QdrantConnection, name: string, embedder: Embedder): Promise<void> {
  const settings: Parameters<QdrantClient['createCollection']>[1] = {
    vectors: { size: embedder.dimensions, distance: 'Cosine' },
    hnsw_config: { m: 0, payload_m: HNSW_M },
    quantization_config: { scalar: { type: 'int8', quantile: 0.99, memory: 'pinned' } },
    metadata: { embedder: embedder.name, schema: SCHEMA_VERSION },
  };
  try {
    await connection.write(async (client) => (await client.collectionExists(name)).exists || client.createCollection(name, settings));
  } catch (error) {
    if (!(error instanceof QdrantFailure) || error.status !== 409) throw error; // another replica was faster
  }
}

async function createIndexes(connection: QdrantConnection, name: string): Promise<void> {
  const { payload_schema: present } = await connection.write((client) => client.getCollection(name));
  for (const [field, schema] of Object.entries(INDEXES)) {
    if (!Object.hasOwn(present, field)) await connection.write((client) => client.createPayloadIndex(name, { field_name: field, field_schema: schema, wait: true }));
  }
}

/** The schema version of a collection that must be this embedder's. */
async function schemaOf(connection: QdrantConnection, name: string, embedder: Embedder): Promise<number> {
  const { config } = await connection.write((client) => client.getCollection(name));
  const metadata = (config.metadata ?? {}) as Record<string, unknown>;
  const size = (config.params.vectors as { size?: unknown } | undefined)?.size;
  if (metadata['embedder'] !== embedder.name) throw new QdrantFailure('refused', `the collection ${name} is not one of the embedder ${embedder.name}`);
  if (size !== embedder.dimensions) throw new QdrantFailure('refused', `the collection ${name} has vectors of ${String(size)} dimensions, not ${embedder.dimensions}`);
  const schema = Number(metadata['schema']);
  if (!(schema <= SCHEMA_VERSION)) throw new QdrantFailure('refused', `the collection ${name} is of a later version of deja`);
  return schema;
}
