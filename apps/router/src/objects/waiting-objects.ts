import type { StoredObject } from '@deja/contracts';
import { isPassing } from '@deja/postgres';
import { isUp, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { inRounds } from './rounds.ts';

/** List of StoredObject (JSON), shared by all router replicas. */
const WAITING_KEY = 'deja:objects:waiting';
/** Some 25 MB of Redis. Beyond it an event is refused, and set aside by the bus in the end. */
const MOST_WAITING = 100_000;
const EVERY_MS = 2_000;
const BATCH = 100;

/** Notes an object. */
export type Note = (object: StoredObject) => Promise<void>;

/** Objects that could not be noted while Postgres was away: the bus gives an event up after a few deliveries, an outage may last longer. */
export class WaitingObjects {
  #rounds: { stop(): Promise<void> } | null = null;
  #isStopped = false;

  constructor(
    private readonly redis: RedisClient,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
  ) {}

  /** Notes an object now, or keeps it for later where Postgres is the trouble. Rejects when neither can be done. */
  async noteNowOrLater(object: StoredObject, note: Note): Promise<void> {
    try {
      await note(object);
    } catch (error) {
      if (!isPassing(error) || (await this.redis.llen(WAITING_KEY)) >= MOST_WAITING) throw error;
      await this.redis.rpush(WAITING_KEY, JSON.stringify(object));
    }
  }

  /** Tries again now and every few seconds. */
  start(note: Note): void {
    this.#rounds = inRounds(EVERY_MS, () => this.noteAll(note), (error) => {
      if (!isPassing(error)) this.logger.warn({ err: error }, 'stored objects are waiting to be noted; trying again');
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#rounds?.stop();
  }

  /** Notes what waits. None leaves before it is noted; replicas that do it together only do it twice. Rejects at the first that still cannot be. */
  async noteAll(note: Note): Promise<void> {
    let noted = 0;
    while (!this.#isStopped && isUp(this.redis)) {
      const texts = await this.redis.lrange(WAITING_KEY, 0, BATCH - 1);
      if (texts.length === 0) break;
      for (const text of texts) {
        await note(JSON.parse(text) as StoredObject).catch((error: unknown) => {
          if (isPassing(error)) throw error;
          // Its tenant was deleted meanwhile, for one: waiting will not help.
          this.logger.warn({ err: error, object: text }, 'a stored object cannot be noted and is given up');
        });
        await this.redis.lrem(WAITING_KEY, 1, text);
        noted++;
      }
    }
    if (noted > 0) this.logger.info({ objects: noted }, 'stored objects were noted late');
  }
}
