import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { FAILURE_KINDS, MOST_DATA_KEYS, MOST_LEASES, MOST_OBJECT_IDS, OBJECT_ID, type RouterRpc } from '@deja/contracts';
import { z } from 'zod';
import { ConfigFile } from './config-file.ts';
import { ConfigurationInForce } from './configuration-in-force.ts';
import { KeyDirectory } from './keys/key-directory.ts';
import { ObjectDirectory } from './objects/object-directory.ts';
import { parsed, PUBLIC_KEY } from './parsed-payload.ts';
import { Pool } from './pool/pool.ts';
import { RouterMetrics } from './router-metrics.ts';
import { SnapshotPublisher } from './snapshot/snapshot-publisher.ts';
import { CredentialVault } from './vault/credential-vault.ts';
import { DataKeys } from './vault/data-keys.ts';

/** A gateway of a version before has none. */
const RESOLVE_KEY = z.object({ keySha256: z.string().regex(/^[0-9a-f]{64}$/), publicId: z.string().max(64).nullable().default(null) });

const CREDENTIAL = z.object({
  credentials: z.array(z.object({ id: z.string(), version: z.string() })).max(MOST_LEASES),
  publicKey: PUBLIC_KEY,
});
/** Ids are UUIDs: anything else names nothing. */
const DATA_KEY = z.object({ tenant: z.string().min(1).max(63), id: z.uuid().nullable(), publicKey: PUBLIC_KEY });

const DATA_KEYS = z.object({ ids: z.array(z.string().max(64)).max(MOST_DATA_KEYS) });

const nullableNumber = z.number().nullable();
const ATTEMPT_OUTCOMES = z.object({
  outcomes: z.array(z.object({
    atMs: z.number(),
    deployment: z.string(),
    credential: z.string().nullable(),
    version: z.string().nullable(),
    status: nullableNumber,
    failure: z.enum(FAILURE_KINDS).nullable(),
    retryAfterMs: nullableNumber,
    firstByteMs: nullableNumber,
    durationMs: z.number(),
  })),
});

const objectId = z.string().regex(OBJECT_ID);
const name = z.string().min(1).max(512);
const objectKind = z.enum(['file', 'batch', 'response']);
const LATEST_MS = 8.64e15; // the last moment a Date can hold
const OBJECT_STORED = z.object({
  tenant: name,
  kind: objectKind,
  id: objectId,
  provider: name,
  deployment: name,
  credential: name.nullable(),
  createdAtMs: z.number().min(0).max(LATEST_MS),
});
const OBJECT_DELETED = z.object({ tenant: name, id: objectId });
const FIND_OBJECTS = z.object({ tenant: name, ids: z.array(objectId).max(MOST_OBJECT_IDS) });
const OBJECT_ACCOUNTS = z.object({ tenant: name, kind: objectKind });

/** What gateways ask and tell on the way of requests; the admin API has controllers of its own (admin/, vault/). See RouterRpc and RouterEvents in the contracts. */
@Controller()
export class RouterController {
  constructor(
    private readonly keys: KeyDirectory,
    private readonly vault: CredentialVault,
    private readonly configFile: ConfigFile,
    private readonly inForce: ConfigurationInForce,
    private readonly pool: Pool,
    private readonly publisher: SnapshotPublisher,
    private readonly metrics: RouterMetrics,
    private readonly objects: ObjectDirectory,
    private readonly dataKeys: DataKeys,
  ) {}

  @MessagePattern('resolve_key')
  async resolveKey(@Payload() payload: unknown): Promise<RouterRpc['resolve_key']['reply']> {
    const resolution = await this.keys.resolve(parsed(RESOLVE_KEY, payload));
    this.metrics.keyResolved(resolution.status);
    return resolution;
  }

  @MessagePattern('credential')
  async credential(@Payload() payload: unknown): Promise<RouterRpc['credential']['reply']> {
    const { credentials, publicKey } = parsed(CREDENTIAL, payload);
    // Another replica may have seen a changed file, or changed the vault, a moment earlier.
    if (credentials.some((wanted) => !this.vault.holds(wanted))) await Promise.all([this.configFile.check(), this.inForce.reload()]);
    return { leases: await this.vault.lease(credentials, publicKey) };
  }

  @MessagePattern('data_key')
  dataKey(@Payload() payload: unknown): Promise<RouterRpc['data_key']['reply']> {
    return this.dataKeys.lease(parsed(DATA_KEY, payload));
  }

  @MessagePattern('data_keys_gone')
  async dataKeysGone(@Payload() payload: unknown): Promise<RouterRpc['data_keys_gone']['reply']> {
    return { gone: await this.dataKeys.gone(parsed(DATA_KEYS, payload).ids) };
  }

  @EventPattern('attempt_outcomes')
  async attemptOutcomes(@Payload() payload: unknown): Promise<void> {
    const { outcomes } = parsed(ATTEMPT_OUTCOMES, payload);
    const content = this.publisher.content;
    if (content !== null && (await this.pool.record(outcomes, content))) this.publisher.healthChanged();
  }

  @MessagePattern('find_objects')
  async findObjects(@Payload() payload: unknown): Promise<RouterRpc['find_objects']['reply']> {
    const { tenant, ids } = parsed(FIND_OBJECTS, payload);
    return { objects: await this.objects.find(tenant, ids) };
  }

  @MessagePattern('object_accounts')
  async objectAccounts(@Payload() payload: unknown): Promise<RouterRpc['object_accounts']['reply']> {
    const { tenant, kind } = parsed(OBJECT_ACCOUNTS, payload);
    return { accounts: await this.objects.accounts(tenant, kind) };
  }

  @EventPattern('object_stored')
  async objectStored(@Payload() payload: unknown): Promise<void> {
    await this.objects.stored(parsed(OBJECT_STORED, payload));
  }

  @EventPattern('object_deleted')
  async objectDeleted(@Payload() payload: unknown): Promise<void> {
    await this.objects.deleted(parsed(OBJECT_DELETED, payload));
  }
}
