import { zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';

/** Of the events of one job as JSON: far more than a gateway sends, and little enough for this process. */
const MOST_BYTES = 64 * 1024 * 1024;

const plain = z.object({ v: z.literal(1), events: z.array(z.unknown()) });
const compressed = z.object({ v: z.literal(2), z: z.base64() });

/**
 * Events of one job: as they are (version 1), or as base64 of the zstd of their JSON (version 2). What is neither, or cannot be unpacked, counts as
 * one event that nobody can read. Never throws.
 */
export function eventsOf(data: unknown): unknown[] {
  const batch = z.union([plain, compressed]).safeParse(data).data;
  if (batch === undefined) return [data];
  return batch.v === 1 ? batch.events : (unpacked(batch.z) ?? [data]);
}

function unpacked(text: string): unknown[] | null {
  try {
    const events: unknown = JSON.parse(zstdDecompressSync(Buffer.from(text, 'base64'), { maxOutputLength: MOST_BYTES }).toString());
    return Array.isArray(events) ? events : null;
  } catch {
    return null;
  }
}
