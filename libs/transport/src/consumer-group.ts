import type { Redis } from 'ioredis';
import type { StreamEntry } from './protocol.ts';

/** One replica's seat in the consumer group of one stream. The group is made again when Redis lost it. */
export class ConsumerGroup {
  constructor(
    private readonly reader: Redis,
    private readonly commands: Redis,
    readonly key: string,
    readonly group: string,
    readonly consumer: string,
    /** true: entries count as handled when they are read (at most once). */
    private readonly noAck: boolean,
  ) {}

  async create(): Promise<void> {
    try {
      await this.commands.xgroup('CREATE', this.key, this.group, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('BUSYGROUP')) throw error;
    }
  }

  /** Up to `count` new entries; waits `blockMs` for the first. */
  async read(count: number, blockMs: number): Promise<StreamEntry[]> {
    try {
      const reply = this.noAck
        ? await this.reader.xreadgroup('GROUP', this.group, this.consumer, 'COUNT', count, 'BLOCK', blockMs, 'NOACK', 'STREAMS', this.key, '>')
        : await this.reader.xreadgroup('GROUP', this.group, this.consumer, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', this.key, '>');
      return (reply as [string, StreamEntry[]][] | null)?.[0]?.[1] ?? [];
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('NOGROUP')) throw error;
      await this.create();
      return [];
    }
  }

  async acknowledge(entryId: string): Promise<void> {
    await this.commands.multi().xack(this.key, this.group, entryId).xdel(this.key, entryId).exec();
  }

  /** Says that these entries are still being worked on, so that nobody takes them over. */
  async renew(entryIds: string[]): Promise<void> {
    if (entryIds.length > 0) await this.commands.xclaim(this.key, this.group, this.consumer, 0, ...entryIds, 'JUSTID');
  }

  /** Entries whose reader has not been heard of for `idleMs`, with how often they were delivered. */
  async abandoned(idleMs: number): Promise<{ entryId: string; deliveries: number }[]> {
    const pending = (await this.commands.xpending(this.key, this.group, 'IDLE', idleMs, '-', '+', 100)) as [string, string, number, number][];
    return pending.map(([entryId, , , deliveries]) => ({ entryId, deliveries }));
  }

  /** Takes an entry over; null when another replica was faster, or it is gone. */
  async claim(entryId: string, idleMs: number): Promise<StreamEntry | null> {
    const claimed = (await this.commands.xclaim(this.key, this.group, this.consumer, idleMs, entryId)) as (StreamEntry | null)[];
    return claimed[0] ?? null;
  }

  /** Removes seats of replicas that are gone and hold nothing. */
  async removeDead(idleMs: number): Promise<void> {
    const consumers = (await this.commands.xinfo('CONSUMERS', this.key, this.group)) as (string | number)[][];
    for (const fields of consumers) {
      const of = (name: string): string | number | undefined => fields[fields.indexOf(name) + 1];
      if (of('name') === this.consumer || Number(of('pending')) > 0 || Number(of('idle')) < idleMs) continue;
      await this.commands.xgroup('DELCONSUMER', this.key, this.group, String(of('name')));
    }
  }

  /** Gives the seat up, unless it still holds entries: those are for others to take over. */
  async leave(): Promise<void> {
    const consumers = (await this.commands.xpending(this.key, this.group, '-', '+', 1, this.consumer)) as unknown[];
    if (consumers.length === 0) await this.commands.xgroup('DELCONSUMER', this.key, this.group, this.consumer);
  }
}
