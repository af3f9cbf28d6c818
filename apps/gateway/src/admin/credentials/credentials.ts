import { DejaError } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { pageOf, type Page } from '../admin-list.ts';
import type { RouterCalls } from '../router-calls.ts';
import { credentialObject, type CredentialObject } from './credential-object.ts';
import type { CredentialChange, NewCredentialBody, Rotation } from './credential-schemas.ts';
import { ValueSealer } from './value-sealer.ts';

/** Provider credentials, kept by the router. A value passes through here once, on its way in, and comes back never. */
export class Credentials {
  private readonly sealer: ValueSealer;

  constructor(
    private readonly router: RouterCalls,
    private readonly logger: Pick<Logger, 'info'>,
    private readonly now: () => number,
  ) {
    this.sealer = new ValueSealer(async () => (await router.read('vault_key', {})).publicKey);
  }

  /** Throws `invalid_value` for what will not do, or a name that is taken. */
  async create(body: NewCredentialBody): Promise<CredentialObject> {
    const { provider, name, tenant, weight, limits, value } = body;
    const known = { provider, name, tenant, baseUrl: body.base_url, weight, limits };
    const { credential } = await this.sealer.sealed(value, (sealedValue) => this.router.change('create_credential', { credential: { ...known, sealedValue } }));
    this.logger.info({ credential: credential.id, provider, name }, 'a credential was created by the admin API');
    return credentialObject(credential, this.now());
  }

  async list(query: unknown): Promise<Page<CredentialObject>> {
    return pageOf('credentials', await this.all(), query);
  }

  /** Throws `not_found`. */
  async get(id: string): Promise<CredentialObject> {
    const found = (await this.all()).find((credential) => credential.id === id);
    if (found === undefined) throw new DejaError('not_found', 'There is no credential of that id.');
    return found;
  }

  /** Throws `not_found`, and `invalid_value` for a credential that stands in deja.yaml or a change of nothing. */
  async update(id: string, { weight, limits, disabled }: CredentialChange): Promise<CredentialObject> {
    const change = { ...(weight !== undefined && { weight }), ...(limits !== undefined && { limits }), ...(disabled !== undefined && { disabled }) };
    if (Object.keys(change).length === 0) throw new DejaError('invalid_value', 'Nothing is to be changed: give weight, limits or disabled.');
    const { credential } = await this.router.change('update_credential', { id, ...change });
    this.logger.info({ credential: id, ...change }, 'a credential was changed by the admin API');
    return credentialObject(credential, this.now());
  }

  /** Throws `not_found`, and `invalid_value` for a credential that stands in deja.yaml. */
  async rotate(id: string, { value, grace_s: graceS }: Rotation): Promise<CredentialObject> {
    const { credential } = await this.sealer.sealed(value, (sealedValue) => this.router.change('rotate_credential', { id, sealedValue, graceS }));
    this.logger.info({ credential: id, grace_s: graceS }, 'a credential was rotated by the admin API');
    return credentialObject(credential, this.now());
  }

  /** Throws `not_found`, and `invalid_value` for a credential that stands in deja.yaml. */
  async delete(id: string): Promise<void> {
    await this.router.change('delete_credential', { id });
    this.logger.info({ credential: id }, 'a credential was deleted by the admin API');
  }

  private async all(): Promise<CredentialObject[]> {
    const { credentials } = await this.router.read('list_credentials', {});
    return credentials.map((view) => credentialObject(view, this.now()));
  }
}
