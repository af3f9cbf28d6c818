import { DejaError, storedObjectKey, type ObjectAccount, type RouterEvents, type StoredObject, type StoredObjectKind } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { StoredObjectsRepository } from './stored-objects.repository.ts';
import { WaitingObjects } from './waiting-objects.ts';

/** Whose the objects are that providers keep. Postgres has the truth; gateways keep what they were told in Redis, so what turns out wrong is taken out of there. */
export class ObjectDirectory {
  readonly #waiting: WaitingObjects;
  readonly #note = (object: StoredObject): Promise<void> => this.#insert(object);

  constructor(
    private readonly objects: StoredObjectsRepository,
    private readonly redis: RedisClient,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
  ) {
    this.#waiting = new WaitingObjects(redis, logger);
  }

  /** Begins to note what could not be noted when it was told. */
  start(): void {
    this.#waiting.start(this.#note);
  }

  async stop(): Promise<void> {
    await this.#waiting.stop();
  }

  /** Rejects when it could be neither noted nor kept for later: the event comes again. */
  async stored(object: StoredObject): Promise<void> {
    await this.#waiting.noteNowOrLater(object, this.#note);
  }

  /** Rejects when it could not be noted: the event comes again. */
  async deleted({ tenant, id }: RouterEvents['object_deleted']): Promise<void> {
    await this.objects.remove(tenant, id);
    await this.redis.del(storedObjectKey(tenant, id));
  }

  /** Throws `overloaded` when it cannot be known at the moment: an existing object is never called unknown. */
  async find(tenant: string, ids: string[]): Promise<StoredObject[]> {
    return await this.objects.find(tenant, ids).catch(unknowable);
  }

  /** Throws `overloaded` when it cannot be known at the moment. */
  async accounts(tenant: string, kind: StoredObjectKind): Promise<ObjectAccount[]> {
    return await this.objects.accounts(tenant, kind).catch(unknowable);
  }

  async #insert(object: StoredObject): Promise<void> {
    if ((await this.objects.insert(object)) === 'stored') return;
    await this.redis.del(storedObjectKey(object.tenant, object.id));
    const { tenant, kind, id, provider } = object;
    this.logger.warn({ tenant, kind, id, provider }, 'a provider gave a tenant the id of an object that belongs to another; it stays with its owner');
  }
}

function unknowable(cause: unknown): never {
  throw new DejaError('overloaded', 'Stored objects cannot be looked up at the moment. Try again shortly.', { retryAfterMs: 1000, cause });
}
