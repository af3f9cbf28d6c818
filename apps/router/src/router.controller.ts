import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { DejaError, type RouterRpc } from '@deja/contracts';
import { z } from 'zod';
import { ConfigFile } from './config-file.ts';
import { KeyDirectory } from './keys/key-directory.ts';
import { Pool } from './pool/pool.ts';
import { RouterMetrics } from './router-metrics.ts';
import { SnapshotPublisher } from './snapshot/snapshot-publisher.ts';
import { CredentialVault } from './vault/credential-vault.ts';

const MOST_CREDENTIALS = 256;

const RESOLVE_KEY = z.object({ keySha256: z.string().regex(/^[0-9a-f]{64}$/) });

const CREDENTIAL = z.object({
  credentials: z.array(z.object({ id: z.string(), version: z.string() })).max(MOST_CREDENTIALS),
  publicKey: z.object({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string().optional() }),
});

const nullableNumber = z.number().nullable();
const ATTEMPT_OUTCOMES = z.object({
  outcomes: z.array(z.object({
    atMs: z.number(),
    deployment: z.string(),
    credential: z.string().nullable(),
    status: nullableNumber,
    errorCode: z.string().nullable(),
    retryAfterMs: nullableNumber,
    firstByteMs: nullableNumber,
    durationMs: z.number(),
  })),
});

/** Everything the router answers and takes: see RouterRpc and RouterEvents in the contracts. */
@Controller()
export class RouterController {
  constructor(
    private readonly keys: KeyDirectory,
    private readonly vault: CredentialVault,
    private readonly configFile: ConfigFile,
    private readonly pool: Pool,
    private readonly publisher: SnapshotPublisher,
    private readonly metrics: RouterMetrics,
  ) {}

  @MessagePattern('resolve_key')
  async resolveKey(@Payload() payload: unknown): Promise<RouterRpc['resolve_key']['reply']> {
    const { keySha256 } = parsed(RESOLVE_KEY, payload);
    const resolution = await this.keys.resolve(keySha256);
    this.metrics.keyResolved(resolution.status);
    return resolution;
  }

  @MessagePattern('credential')
  async credential(@Payload() payload: unknown): Promise<RouterRpc['credential']['reply']> {
    const { credentials, publicKey } = parsed(CREDENTIAL, payload);
    // Another replica may have seen a changed file a moment earlier.
    if (credentials.some((wanted) => !this.vault.holds(wanted))) await this.configFile.check();
    return { leases: await this.vault.lease(credentials, publicKey) };
  }

  @EventPattern('attempt_outcomes')
  async attemptOutcomes(@Payload() payload: unknown): Promise<void> {
    const { outcomes } = parsed(ATTEMPT_OUTCOMES, payload);
    const content = this.publisher.content;
    if (content !== null && (await this.pool.record(outcomes, content))) this.publisher.healthChanged();
  }
}

/** The payload as the contract has it. Throws `invalid_value` naming the field. */
function parsed<T>(schema: z.ZodType<T>, payload: unknown): T {
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  const param = result.error.issues[0]?.path.join('.') ?? '';
  throw new DejaError('invalid_value', `The message is not of the expected form: ${param}.`, { param, cause: result.error });
}
