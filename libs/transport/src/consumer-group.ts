import { runScript, type RedisClient } from '@deja/redis';
import { Batcher } from './batcher.ts';
import type { StreamEntry } from './protocol.ts';
import { ACKNOWLEDGE, REMOVE_SEATS, SET_ASIDE } from './stream-scripts.ts';

/** Acknowledged together. */
const MOST_DONE = 64;

/** An event that was delivered and not acknowledged for a while. */
export interface Abandoned {
  entryId: string;
  deliveries: number;
}

/** Where a replica sits: one stream, one group of all replicas, one seat. */
export interface Seat {
  key: string;
  group: string;
  consumer: string;
  /** true: entries count as handled when they are read (at most once). */
  noAck: boolean;
}

/** Redis ends a blocked read with one of these when the stream or its group went away, as after a flush. */
const GROUP_IS_GONE = /^(?:NOGROUP|UNBLOCKED)/;

/** One replica's seat in the consumer group of one stream. The group is made again when Redis lost it. */
export class ConsumerGroup {
  private readonly reader: RedisClient;
  private readonly commands: RedisClient;
  private readonly seat: Seat;
  /** Events that were read together are often done together. */
  private readonly done: Batcher<string, unknown>;

  /** `reader` blocks; `commands` does everything else. */
  constructor(reader: RedisClient, commands: RedisClient, seat: Seat) {
    this.reader = reader;
    this.commands = commands;
    this.seat = seat;
    this.done = new Batcher({ send: (entryIds) => runScript(commands, ACKNOWLEDGE, [seat.key], [seat.group, ...entryIds]), everyMs: 0, most: MOST_DONE });
  }

  /** From the first entry on: what came before the first replica, or between a flush and now, is read too. */
  async create(): Promise<void> {
    const { key, group } = this.seat;
    try {
      await this.commands.xgroup('CREATE', key, group, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('BUSYGROUP')) throw error;
    }
  }

  /** Up to `count` new entries; waits `blockMs` for the first. */
  async read(count: number, blockMs: number): Promise<StreamEntry[]> {
    const { key, group, consumer, noAck } = this.seat;
    try {
      const reply = noAck
        ? await this.reader.xreadgroup('GROUP', group, consumer, 'COUNT', count, 'BLOCK', blockMs, 'NOACK', 'STREAMS', key, '>')
        : await this.reader.xreadgroup('GROUP', group, consumer, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', key, '>');
      return (reply as [string, StreamEntry[]][] | null)?.[0]?.[1] ?? [];
    } catch (error) {
      if (!(error instanceof Error) || !GROUP_IS_GONE.test(error.message)) throw error;
      await this.create();
      return [];
    }
  }

  /** Drops what was delivered, up to this entry: the group never hands out anything older again. For `noAck` only. */
  async trimThrough(entryId: string): Promise<void> {
    const [timeMs, sequence] = entryId.split('-');
    await this.commands.xtrim(this.seat.key, 'MINID', `${timeMs}-${Number(sequence) + 1}`);
  }

  async acknowledge(entryId: string): Promise<void> {
    await this.done.add(entryId);
  }

  /** Says that these entries are still being worked on, so that nobody takes them over. */
  async renew(entryIds: string[]): Promise<void> {
    const { key, group, consumer } = this.seat;
    if (entryIds.length > 0) await this.commands.call('XCLAIM', key, group, consumer, 0, ...entryIds, 'JUSTID');
  }

  /** Up to `count` entries that nobody has worked on for `idleMs`. */
  async abandoned(idleMs: number, count: number): Promise<Abandoned[]> {
    const pending = (await this.commands.xpending(this.seat.key, this.seat.group, 'IDLE', idleMs, '-', '+', count)) as [string, string, number, number][];
    return pending.map(([entryId, , , deliveries]) => ({ entryId, deliveries }));
  }

  /** Takes an entry over; null when another replica was faster, or it is gone. */
  async claim(entryId: string, idleMs: number): Promise<StreamEntry | null> {
    const { key, group, consumer } = this.seat;
    const claimed = (await this.commands.call('XCLAIM', key, group, consumer, idleMs, entryId)) as (StreamEntry | null)[];
    return claimed[0] ?? null;
  }

  /** Moves an entry to the dead ones; false when another replica has finished or moved it. */
  async setAside(entryId: string, dead: { key: string; maxLength: number; reason: string; deliveries: number }): Promise<boolean> {
    return (await runScript(this.commands, SET_ASIDE, [this.seat.key, dead.key], [this.seat.group, entryId, dead.maxLength, dead.reason, dead.deliveries])) === 1;
  }

  /** Removes the seats of replicas that have been silent for `idleMs` and hold nothing. */
  async removeDead(idleMs: number): Promise<void> {
    await runScript(this.commands, REMOVE_SEATS, [this.seat.key], [this.seat.group, '', idleMs]);
  }

  /** Gives the seat up, unless it still holds entries: those are for others to take over. */
  async leave(): Promise<void> {
    await runScript(this.commands, REMOVE_SEATS, [this.seat.key], [this.seat.group, this.seat.consumer, 0]);
  }
}
