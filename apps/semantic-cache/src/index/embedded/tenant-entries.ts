import type { SemanticPartition } from '@deja/contracts';
import { VectorBlock, type Nearest, type Quantised, type VectorMemory } from '@deja/similarity';
import type { IndexEntry } from '../entry.ts';

/** An entry and where it stands. */
export interface Kept {
  readonly entry: IndexEntry;
  readonly partition: Partition;
  row: number;
  // By age. A Map would keep the order too, but finding its oldest takes longer with each oldest that was removed.
  older: Kept | null;
  newer: Kept | null;
}

/** The entries of one scope and fingerprint: row n of the block is the vector of `kept[n]`. */
export interface Partition {
  readonly key: string;
  readonly block: VectorBlock;
  kept: Kept[];
  /** The same words are kept once: the newest answer to them counts. Null while there are so few that looking at each is as quick. */
  byText: Map<string, Kept> | null;
}

/** Most partitions have one to three entries: for them a Map would be the most of what they take. */
const FEW = 8;

/** The question in steps, and from when on (Unix ms) entries are not over. */
export interface Question {
  vector: Quantised;
  nowMs: number;
}

/** All entries of one tenant, by partition, id, words and age. */
export class TenantEntries {
  private readonly memory: VectorMemory;
  private readonly partitions = new Map<string, Partition>();
  private readonly byId = new Map<string, Kept>();
  private first: Kept | null = null;
  private last: Kept | null = null;
  private answerBytes = 0;

  constructor(memory: VectorMemory) {
    this.memory = memory;
  }

  get size(): number {
    return this.byId.size;
  }

  /** Of all answers, where known. */
  get bytes(): number {
    return this.answerBytes;
  }

  get oldest(): Kept | null {
    return this.first;
  }

  get(id: string): Kept | null {
    return this.byId.get(id) ?? null;
  }

  all(): Iterable<Kept> {
    return this.byId.values();
  }

  /** Adds an entry whose id is not there yet, in place of one with the same words. Throws a RangeError where the memory is full. */
  add(entry: IndexEntry, vector: Quantised): void {
    const key = partitionKey(entry);
    const superseded = withText(this.partitions.get(key), entry.text);
    if (superseded !== undefined) this.remove(superseded);
    const partition = this.partitions.get(key) ?? { key, block: new VectorBlock(this.memory), kept: [], byText: null };
    const kept: Kept = { entry, partition, row: partition.block.add(vector), older: this.last, newer: null };
    this.partitions.set(key, partition);
    if (partition.kept.length === 0) partition.kept = [kept]; // `push` would take room for 17
    else partition.kept.push(kept);
    if (partition.byText !== null) partition.byText.set(entry.text, kept);
    else if (partition.kept.length > FEW) partition.byText = new Map(partition.kept.map((one) => [one.entry.text, one]));
    this.byId.set(entry.entry, kept);
    if (this.last === null) this.first = kept;
    else this.last.newer = kept;
    this.last = kept;
    this.answerBytes += entry.bytes ?? 0;
  }

  /** Removes what is kept here; the room of its vector is free at once. */
  remove(kept: Kept): void {
    const { entry, partition, row, older, newer } = kept;
    partition.block.remove(row);
    const moved = partition.kept.pop();
    if (moved !== undefined && moved !== kept) {
      moved.row = row;
      partition.kept[row] = moved;
    }
    partition.byText?.delete(entry.text);
    if (partition.kept.length === 0) this.partitions.delete(partition.key);
    this.byId.delete(entry.entry);
    if (older === null) this.first = newer;
    else older.newer = newer;
    if (newer === null) this.last = older;
    else newer.older = older;
    this.answerBytes -= entry.bytes ?? 0;
  }

  /** Offers what is near in this partition. */
  search(partition: SemanticPartition, question: Question, nearest: Nearest<IndexEntry>): void {
    const found = this.partitions.get(partitionKey(partition));
    if (found !== undefined) searchIn(found, question, nearest);
  }

  /** Offers what is near in any partition. */
  searchAll(question: Question, nearest: Nearest<IndexEntry>): void {
    for (const partition of this.partitions.values()) searchIn(partition, question, nearest);
  }
}

function withText(partition: Partition | undefined, text: string): Kept | undefined {
  return partition?.byText ? partition.byText.get(text) : partition?.kept.find((kept) => kept.entry.text === text);
}

function searchIn({ block, kept }: Partition, { vector, nowMs }: Question, nearest: Nearest<IndexEntry>): void {
  block.search(vector, nearest.floor, (row, cosine) => {
    const entry = kept[row]?.entry;
    if (entry !== undefined && entry.expiresAtMs > nowMs) nearest.offer(entry, cosine);
    return nearest.floor;
  });
}

/** A JSON array keeps the parts apart whatever they hold. */
const partitionKey = ({ scope, fingerprint }: SemanticPartition): string => JSON.stringify([scope, fingerprint]);
