import type { Logger } from '@deja/telemetry';
import { Loops } from '../loops.ts';
import type { Room } from '../room.ts';
import type { CaptureConsumer } from './capture-consumer.ts';
import type { CapturePartitions } from './capture-partitions.ts';
import type { WordSweep } from './word-sweep.ts';

const PARTITIONS_INTERVAL_MS = 60 * 60_000;
const LOOK_INTERVAL_MS = 5_000;
const WORDS_INTERVAL_MS = 60_000;

export interface CaptureRoomParts {
  partitions: CapturePartitions;
  consumer: CaptureConsumer;
  words: WordSweep;
  logger: Pick<Logger, 'warn'>;
}

/** Takes captured bodies in, and forgets the words of those that were shredded. */
export class CaptureRoom implements Room {
  private readonly parts: CaptureRoomParts;
  private readonly loops: Loops;

  constructor(parts: CaptureRoomParts) {
    this.parts = parts;
    this.loops = new Loops(parts.logger);
  }

  async start(): Promise<void> {
    const { partitions, consumer, words } = this.parts;
    await partitions.ensureAhead(Date.now());
    consumer.start();
    this.loops.begin(PARTITIONS_INTERVAL_MS, () => partitions.ensureAhead(Date.now()), 'partitions of captured bodies could not be made yet');
    this.loops.begin(LOOK_INTERVAL_MS, () => consumer.look(), 'the queue of captured bodies could not be looked at');
    this.loops.begin(WORDS_INTERVAL_MS, () => words.sweep(), 'words of shredded bodies could not be looked for yet');
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all([this.loops.end(), this.parts.consumer.close(graceMs)]);
  }
}
