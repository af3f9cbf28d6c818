import { DejaError, MOST_OBJECT_IDS, OBJECT_ID, objectAccountsKey, storedObjectKey, unbilledResponseKey, type ObjectAccount, type RouterEvents, type RouterRpc, type StoredObject, type StoredObjectKind } from '@deja/contracts';
import { isUp, openPipeline, type Pipeline, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';

/** Tells the router of an object; resolves when the event is safe. */
export type NotifyRouter = <P extends 'object_stored' | 'object_deleted'>(pattern: P, event: RouterEvents[P]) => Promise<void>;
/** Asks the router, with a deadline. */
export type CallRouter = <P extends 'find_objects' | 'object_accounts'>(pattern: P, request: RouterRpc[P]['request']) => Promise<RouterRpc[P]['reply']>;

const MEMORY_S = 24 * 60 * 60;
/** Parts of an answer are only references: Redis alone has them, for as long as a response without calls is kept at OpenAI. */
const PARTS_S = 30 * 24 * 60 * 60;
/** A response that nobody has asked for in this time is gone at OpenAI, too. */
const UNBILLED_S = 30 * 24 * 60 * 60;
/** An id that nobody has is asked about once in this time, not on every try. */
const UNKNOWN_FRESH_MS = 3_000;
const UNKNOWN_IDS = 10_000;

/** Something inside an answer that later requests may name: an item of a response, or what a chat answer said aloud. */
export interface AnswerPart {
  kind: 'item' | 'audio';
  id: string;
}
/** Who has it, and in which account. */
export type Owner = ObjectAccount & Pick<StoredObject, 'tenant' | 'createdAtMs'>;
/** What is known by an id. */
export type Known = Owner & { kind: StoredObjectKind | AnswerPart['kind']; id: string };

/**
 * Whose an object is that a provider keeps, and where it is. Redis answers for what was made or looked up within a day, the router for the
 * rest. What belongs to another tenant looks exactly like what does not exist.
 */
export class StoredObjects {
  /** Redis key → until when, Unix ms. */
  private readonly unknown = new Map<string, number>();

  constructor(
    private readonly redis: RedisClient,
    private readonly notify: NotifyRouter,
    private readonly call: CallRouter,
    private readonly logger: Pick<Logger, 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Notes an object, and parts of it with it, before their ids go to the client. Never rejects: what neither Redis nor the router took is logged, and a 404 later. */
  async remember(object: StoredObject, parts: readonly AnswerPart[] = []): Promise<void> {
    const { tenant, kind, id } = object;
    if (!OBJECT_ID.test(id)) return this.logger.warn({ tenant, kind }, 'a provider gave an object an id of no known form; nobody can use it');
    this.unknown.delete(storedObjectKey(tenant, id));
    const [inRedis, atRouter] = await Promise.allSettled([this.keepMade(object, parts), this.notify('object_stored', object)]);
    if (inRedis.status === 'rejected') this.logger.warn({ err: inRedis.reason as unknown, tenant, kind, id }, 'a new object is not in Redis; until the router knows it, it is answered 404');
    if (atRouter.status === 'rejected') this.logger.warn({ err: atRouter.reason as unknown, tenant, kind, id }, 'the router was not told of a new object; within a day it is answered 404');
  }

  /** Notes parts of an answer. Never rejects: what Redis did not take is unknown later. */
  async rememberParts(owner: Owner, parts: readonly AnswerPart[]): Promise<void> {
    if (parts.length === 0) return;
    try {
      await executed(this.withParts(openPipeline(this.redis), owner, parts));
    } catch (error) {
      this.logger.warn({ err: error, tenant: owner.tenant }, 'parts of an answer are not in Redis; requests that name them are refused');
    }
  }

  /** Notes that what this response uses is not known yet. Never rejects: what Redis did not take is not billed later. */
  async leaveUnbilled(tenant: string, id: string): Promise<void> {
    await this.redis.set(unbilledResponseKey(tenant, id), '1', 'EX', UNBILLED_S).catch((error: unknown) => this.logger.warn({ err: error, tenant, id }, 'what a background response uses will not be billed'));
  }

  /** Whether it is now to be billed; true once. An outage bills nothing. */
  async claimBill(tenant: string, id: string): Promise<boolean> {
    return isUp(this.redis) && (await this.redis.del(unbilledResponseKey(tenant, id)).catch(() => 0)) === 1;
  }

  /** Those of these parts of answers that are this tenant's, by id. Throws `overloaded` when nobody can tell. */
  async findParts(tenant: string, ids: readonly string[]): Promise<Map<string, Known>> {
    const wanted = [...new Set(ids)].filter((id) => OBJECT_ID.test(id));
    if (wanted.length === 0) return new Map();
    if (!isUp(this.redis)) unknowable(new Error('Redis is away'));
    return this.readAll(tenant, wanted).catch(unknowable);
  }

  /** null: not this tenant's. Throws `overloaded` when nobody can tell. */
  async find(tenant: string, id: string): Promise<Known | null> {
    return (await this.findAll(tenant, [id])).get(id) ?? null;
  }

  /** Those of `ids` that are this tenant's, by id. Throws `overloaded` when nobody can tell. */
  async findAll(tenant: string, ids: readonly string[]): Promise<Map<string, Known>> {
    const wanted = [...new Set(ids)].filter((id) => OBJECT_ID.test(id));
    const found = await this.inRedis(tenant, wanted);
    const missing = wanted.filter((id) => !found.has(id) && !this.isUnknown(storedObjectKey(tenant, id)));
    for (let from = 0; from < missing.length; from += MOST_OBJECT_IDS) {
      for (const object of await this.atRouter(tenant, missing.slice(from, from + MOST_OBJECT_IDS))) found.set(object.id, object);
    }
    return found;
  }

  /** The provider has deleted it. Never rejects: an object that only we remember is a 404 of the provider's. */
  async forget(tenant: string, id: string): Promise<void> {
    if (!OBJECT_ID.test(id)) return;
    const results = await Promise.allSettled([this.redis.del(storedObjectKey(tenant, id)), this.notify('object_deleted', { tenant, id })]);
    for (const result of results) if (result.status === 'rejected') this.logger.warn({ err: result.reason as unknown, tenant, id }, 'a deleted object is not forgotten everywhere');
  }

  /** Every account that holds objects of this kind for the tenant. Throws `overloaded` when it cannot be known: a list must not look complete that is not. */
  async accounts(tenant: string, kind: StoredObjectKind): Promise<ObjectAccount[]> {
    const lately = isUp(this.redis) ? await this.redis.smembers(objectAccountsKey(tenant, kind)).catch(() => []) : []; // the router knows them in a moment
    const { accounts } = await this.call('object_accounts', { tenant, kind }).catch(unknowable);
    const all = new Map([...accounts, ...lately.flatMap((text) => parsed<ObjectAccount>(text) ?? [])].map((account) => [accountText(account), account]));
    return [...all.values()];
  }

  private async keepMade(object: StoredObject, parts: readonly AnswerPart[]): Promise<void> {
    const accounts = objectAccountsKey(object.tenant, object.kind);
    const pipeline = openPipeline(this.redis)
      .set(storedObjectKey(object.tenant, object.id), JSON.stringify(object), 'EX', MEMORY_S)
      .sadd(accounts, accountText(object))
      .expire(accounts, MEMORY_S);
    await executed(this.withParts(pipeline, object, parts));
  }

  private withParts(pipeline: Pipeline, { tenant, provider, deployment, credential, createdAtMs }: Owner, parts: readonly AnswerPart[]): Pipeline {
    for (const { kind, id } of parts) {
      if (!OBJECT_ID.test(id)) continue;
      const known: Known = { tenant, kind, id, provider, deployment, credential, createdAtMs };
      pipeline.set(storedObjectKey(tenant, id), JSON.stringify(known), 'EX', PARTS_S);
    }
    return pipeline;
  }

  /** An outage finds nothing: then the router is asked. */
  private async inRedis(tenant: string, ids: string[]): Promise<Map<string, Known>> {
    if (ids.length === 0 || !isUp(this.redis)) return new Map();
    return this.readAll(tenant, ids).catch(() => new Map());
  }

  private async readAll(tenant: string, ids: string[]): Promise<Map<string, Known>> {
    const texts = await this.redis.mget(ids.map((id) => storedObjectKey(tenant, id)));
    const objects = texts.flatMap((text) => (text === null ? [] : (parsed<Known>(text) ?? [])));
    return new Map(objects.filter((object) => object.tenant === tenant).map((object) => [object.id, object]));
  }

  private async atRouter(tenant: string, ids: string[]): Promise<StoredObject[]> {
    const { objects } = await this.call('find_objects', { tenant, ids }).catch(unknowable);
    const found = new Set(objects.map(({ id }) => id));
    for (const id of ids) if (!found.has(id)) this.keepUnknown(storedObjectKey(tenant, id));
    if (objects.length > 0 && isUp(this.redis)) {
      const pipeline = openPipeline(this.redis);
      for (const object of objects) pipeline.set(storedObjectKey(tenant, object.id), JSON.stringify(object), 'EX', MEMORY_S);
      await pipeline.exec().catch(() => null); // asked again next time
    }
    return objects;
  }

  private isUnknown(key: string): boolean {
    const untilMs = this.unknown.get(key);
    if (untilMs === undefined) return false;
    if (untilMs > this.now()) return true;
    this.unknown.delete(key);
    return false;
  }

  private keepUnknown(key: string): void {
    if (this.unknown.size >= UNKNOWN_IDS) this.unknown.delete(this.unknown.keys().next().value ?? '');
    this.unknown.set(key, this.now() + UNKNOWN_FRESH_MS);
  }
}

async function executed(pipeline: Pipeline): Promise<void> {
  const replies = await pipeline.exec();
  const error = replies?.find(([failed]) => failed !== null)?.[0];
  if (error) throw error;
}

function unknowable(cause: unknown): never {
  throw new DejaError('overloaded', 'Stored objects cannot be looked up at the moment. Try again shortly.', { retryAfterMs: 1000, cause });
}

/** One account, always written the same way. */
const accountText = ({ provider, deployment, credential }: ObjectAccount): string => JSON.stringify({ provider, deployment, credential });

/** null for what another version wrote or nobody can read. */
function parsed<T extends object>(text: string): T | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : null;
  } catch {
    return null;
  }
}
