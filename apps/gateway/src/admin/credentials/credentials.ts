import type { BodyOf, CredentialObject, QueryOf, ReplyOf } from '@deja/admin-api';
import { Secret } from '@deja/config';
import { DejaError, type AdminActor, type AdminChange, type CredentialView, type RouterRpc } from '@deja/contracts';
import { pageOf } from '../admin-list.ts';
import type { AppCalls } from '../app-calls.ts';
import { answered, type Answer } from '../operation-call.ts';
import type { ValueSealer } from '../value-sealer.ts';
import { credentialObject } from './credential-object.ts';

type Changed = { credential: CredentialView; replayed?: boolean };

/** Provider credentials, kept by the router. A value passes through here once, on its way in, and comes back never. Of a caller for one tenant only that tenant's are seen. */
export class Credentials {
  constructor(
    private readonly router: AppCalls<RouterRpc>,
    private readonly sealer: ValueSealer,
    private readonly now: () => number,
  ) {}

  /** Throws `invalid_value` for what will not do, `conflict` for a name that is taken. */
  async create({ value, base_url: baseUrl, ...known }: BodyOf<'createCredential'>, change: AdminChange): Promise<Answer<CredentialObject>> {
    return this.answer(await this.sealer.sealed(new Secret(value), (sealedValue) => this.router.change('create_credential', { credential: { ...known, baseUrl, sealedValue }, change })));
  }

  async list(query: QueryOf<'listCredentials'>, by: AdminActor): Promise<Answer<ReplyOf<'listCredentials'>>> {
    return answered(pageOf('credentials', (await this.seenBy(by)).map((view) => credentialObject(view, this.now())), query));
  }

  /** Throws `not_found`. */
  async get(id: string, by: AdminActor): Promise<Answer<CredentialObject>> {
    const found = (await this.seenBy(by)).find((credential) => credential.id === id);
    if (found === undefined) throw new DejaError('not_found', 'There is no credential of that id.');
    return this.answer({ credential: found });
  }

  /** Throws `not_found`, `precondition_failed`, and `invalid_value` for a credential that stands in deja.yaml or a change of nothing. */
  async update(id: string, { weight, limits, disabled }: BodyOf<'updateCredential'>, change: AdminChange): Promise<Answer<CredentialObject>> {
    const changes = { ...(weight !== undefined && { weight }), ...(limits !== undefined && { limits }), ...(disabled !== undefined && { disabled }) };
    if (Object.keys(changes).length === 0) throw new DejaError('invalid_value', 'Nothing is to be changed: give weight, limits or disabled.');
    await this.mustSee(id, change.by);
    return this.answer(await this.router.change('update_credential', { id, ...changes, change }));
  }

  /** Throws `not_found`, `precondition_failed`, and `invalid_value` for a credential that stands in deja.yaml. */
  async rotate(id: string, { value, grace_s: graceS }: BodyOf<'rotateCredential'>, change: AdminChange): Promise<Answer<CredentialObject>> {
    await this.mustSee(id, change.by);
    return this.answer(await this.sealer.sealed(new Secret(value), (sealedValue) => this.router.change('rotate_credential', { id, sealedValue, graceS, change })));
  }

  /** Throws `not_found`, `precondition_failed`, and `invalid_value` for a credential that stands in deja.yaml. */
  async delete(id: string, change: AdminChange): Promise<Answer<ReplyOf<'deleteCredential'>>> {
    await this.mustSee(id, change.by);
    await this.router.change('delete_credential', { id, change });
    return answered({ object: 'credential', id, deleted: true });
  }

  private answer({ credential, replayed = false }: Changed): Answer<CredentialObject> {
    return { body: credentialObject(credential, this.now()), etag: credential.revision === null ? null : `"${credential.revision}"`, replayed };
  }

  /** The router looks at the tenant, too; another one's is not even named to it. */
  private async mustSee(id: string, by: AdminActor): Promise<void> {
    if (by.tenant !== null) await this.get(id, by);
  }

  private async seenBy({ tenant }: AdminActor): Promise<CredentialView[]> {
    const { credentials } = await this.router.read('list_credentials', {});
    return tenant === null ? credentials : credentials.filter((credential) => credential.tenant === tenant);
  }
}
