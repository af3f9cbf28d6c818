import { VERDICT_KINDS, type Observation } from '@deja/similarity';
import type { RedisClient } from '@deja/redis';
import { z } from 'zod';
import { LogWriter, readRecord, type StreamLog } from '../entries/stream-log.ts';

/** What audits, operators and judges found out, oldest first; kept for all replicas and over restarts. */
export const EVIDENCE_LOG: StreamLog = { key: 'deja:cache:{evidence}', epochKey: 'deja:cache:{evidence}:epoch' };
/** About so many of the last are kept: the rest is forgotten, as evidence grows old anyway. */
const MAX_RECORDS = 50_000;

/** A judge's word on whether a question asks what an entry's question asks. */
export interface Judgement {
  /** Names entry and question (`pairKey`). */
  pair: string;
  same: boolean;
}

export type EvidenceRecord = { observation: Observation } | { judgement: Judgement };

const short = z.string().max(1024);
const observation = z.object({
  atMs: z.number(), tenant: short, model: short, entry: short, kind: z.enum(VERDICT_KINDS), similarity: z.number(), wrong: z.boolean(), source: z.enum(['audit', 'feedback']), refused: z.boolean().exactOptional(),
});
const judgement = z.object({ pair: short, same: z.boolean() });

/** Writes the log; Redis errors are the caller's: an event is delivered again. */
export class EvidenceLog {
  private readonly writer: LogWriter;

  constructor(redis: RedisClient) {
    this.writer = new LogWriter(redis, EVIDENCE_LOG, MAX_RECORDS);
  }

  async append(record: EvidenceRecord): Promise<void> {
    if ('observation' in record) await this.writer.append('o', record.observation);
    else await this.writer.append('j', record.judgement);
  }
}

export const evidenceOf = (fields: readonly string[]): EvidenceRecord | null =>
  readRecord<EvidenceRecord>(fields, { o: (data) => ({ observation: observation.parse(data) }), j: (data) => ({ judgement: judgement.parse(data) }) });
