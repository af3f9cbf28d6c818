import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { DejaError, type DeploymentView, type RouterRpc } from '@deja/contracts';
import { z } from 'zod';
import { ADMIN_CHANGE } from '../admin/admin-payload.ts';
import { checkMay } from '../admin/scope.ts';
import { ConfigurationInForce } from '../configuration-in-force.ts';
import { parsed } from '../parsed-payload.ts';
import { Pool } from '../pool/pool.ts';
import { SnapshotPublisher } from '../snapshot/snapshot-publisher.ts';
import { CredentialVault } from './credential-vault.ts';

/** So many are moved to the current master key by one call, which has a deadline. */
const REWRAPPED_AT_ONCE = 100;
const LONGEST_GRACE_S = 30 * 86_400;

const text = z.string().min(1).max(512);
const ceiling = z.int().min(1).max(1_000_000_000_000).optional();
const limits = z.strictObject({ requests_per_minute: ceiling, tokens_per_minute: ceiling, requests_per_day: ceiling, tokens_per_day: ceiling, concurrency: ceiling });
const weight = z.number().min(0).max(1_000_000);
const sealedValue = z.string().min(1).max(16 * 1024);

const CREATE = z.object({
  change: ADMIN_CHANGE,
  credential: z.object({ provider: text, name: text, sealedValue, tenant: text.nullable(), baseUrl: z.string().min(1).max(2048).nullable(), weight, limits }),
});
const UPDATE = z.object({ change: ADMIN_CHANGE, id: text, weight: weight.optional(), limits: limits.optional(), disabled: z.boolean().optional() });
const ROTATE = z.object({ change: ADMIN_CHANGE, id: text, sealedValue, graceS: z.int().min(0).max(LONGEST_GRACE_S) });
const DELETE = z.object({ change: ADMIN_CHANGE, id: text });
const REWRAP = z.object({ change: ADMIN_CHANGE });
const DRAIN = z.object({ change: ADMIN_CHANGE, id: text, drained: z.boolean() });

/** What the admin API asks of the router: credentials, the vault, deployments. See RouterRpc in the contracts. */
@Controller()
export class VaultController {
  constructor(
    private readonly vault: CredentialVault,
    private readonly inForce: ConfigurationInForce,
    private readonly pool: Pool,
    private readonly publisher: SnapshotPublisher,
  ) {}

  @MessagePattern('vault_key')
  vaultKey(): RouterRpc['vault_key']['reply'] {
    return { publicKey: this.vault.intakePublicKey };
  }

  @MessagePattern('create_credential')
  async create(@Payload() payload: unknown): Promise<RouterRpc['create_credential']['reply']> {
    const { credential: given, change } = parsed(CREATE, payload);
    checkMay(change.by, 'createCredential');
    const created = await this.vault.create(given, change);
    await this.inForce.vaultChanged();
    return created;
  }

  @MessagePattern('list_credentials')
  async list(): Promise<RouterRpc['list_credentials']['reply']> {
    // The change that is looked for may have been made by way of another replica.
    await this.inForce.catchUp();
    return { credentials: this.vault.list() };
  }

  @MessagePattern('update_credential')
  async update(@Payload() payload: unknown): Promise<RouterRpc['update_credential']['reply']> {
    const { id, weight: newWeight, limits: newLimits, disabled, change } = parsed(UPDATE, payload);
    checkMay(change.by, 'updateCredential');
    const next = { ...(newWeight !== undefined && { weight: newWeight }), ...(newLimits !== undefined && { limits: newLimits }), ...(disabled !== undefined && { disabled }) };
    const credential = await this.vault.update(id, next, change);
    await this.inForce.vaultChanged(disabled === true ? [`${credential.provider}/${credential.name}`] : []);
    return { credential };
  }

  @MessagePattern('rotate_credential')
  async rotate(@Payload() payload: unknown): Promise<RouterRpc['rotate_credential']['reply']> {
    const { id, sealedValue: value, graceS, change } = parsed(ROTATE, payload);
    checkMay(change.by, 'rotateCredential');
    const { credential, replayed, destroyed } = await this.vault.rotate(id, value, graceS, change);
    await this.inForce.vaultChanged(destroyed.map((gone) => `${gone.id}@${gone.version}`));
    return { credential, replayed };
  }

  @MessagePattern('delete_credential')
  async delete(@Payload() payload: unknown): Promise<RouterRpc['delete_credential']['reply']> {
    const { id, change } = parsed(DELETE, payload);
    checkMay(change.by, 'deleteCredential');
    await this.inForce.vaultChanged([await this.vault.delete(id, change)]);
    return { deleted: true };
  }

  @MessagePattern('rewrap_vault')
  async rewrap(@Payload() payload: unknown): Promise<RouterRpc['rewrap_vault']['reply']> {
    const { change } = parsed(REWRAP, payload);
    checkMay(change.by, 'rewrapVault');
    const report = await this.vault.rewrap(REWRAPPED_AT_ONCE, change);
    if (report.rewrapped > 0) await this.inForce.vaultChanged();
    return report;
  }

  @MessagePattern('list_deployments')
  async deployments(): Promise<RouterRpc['list_deployments']['reply']> {
    await this.inForce.catchUp();
    const { content } = this.publisher;
    return { deployments: content === null ? [] : await this.pool.deployments(content, Date.now()) };
  }

  @MessagePattern('drain_deployment')
  async drain(@Payload() payload: unknown): Promise<RouterRpc['drain_deployment']['reply']> {
    const { id, drained, change } = parsed(DRAIN, payload);
    checkMay(change.by, drained ? 'drainDeployment' : 'resumeDeployment');
    await this.#deployment(id);
    const { replayed } = await this.vault.drain(id, drained, change);
    await this.inForce.vaultChanged();
    return { deployment: { ...(await this.#deployment(id)), drained }, replayed };
  }

  async #deployment(id: string): Promise<DeploymentView> {
    const found = (await this.deployments()).deployments.find((deployment) => deployment.id === id);
    if (found === undefined) throw new DejaError('not_found', `There is no deployment '${id.slice(0, 128)}'.`, { param: 'id' });
    return found;
  }
}
