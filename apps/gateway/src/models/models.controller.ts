import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { newId, type Principal, type PublicModel } from '@deja/contracts';
import { resolveModelName } from '@deja/routing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ClientAddresses } from '../keys/client-address.ts';
import { KeyRing } from '../keys/key-ring.ts';
import { RoutingTable } from '../plan/routing-table.ts';
import { mayUse, noSuchModel } from '../validate/validator.ts';

interface ModelObject {
  id: string;
  object: 'model';
  created: number;
  owned_by: string;
}

const ANY_MODEL = '*';

/** `GET /v1/models`: the public names this key may use. */
@Controller(['v1/models', 'models'])
export class ModelsController {
  constructor(
    private readonly keys: KeyRing,
    private readonly routing: RoutingTable,
    private readonly addresses: ClientAddresses,
  ) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<{ object: 'list'; data: ModelObject[] }> {
    const principal = await this.authenticate(request);
    const { models, issuedAtMs } = this.routing.snapshot();
    void reply.header('x-request-id', newId());
    return { object: 'list', data: models.filter((model) => model.name !== ANY_MODEL && mayUse(principal, model.name, { model, preference: null })).map((model) => modelObject(model, model.name, issuedAtMs)) };
  }

  /** Model names may hold slashes. */
  @Get('*')
  async one(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply, @Param('*') name: string): Promise<ModelObject> {
    const principal = await this.authenticate(request);
    const snapshot = this.routing.snapshot();
    const resolved = resolveModelName(snapshot, name);
    if (resolved === null || !mayUse(principal, name, resolved)) throw noSuchModel(name);
    void reply.header('x-request-id', newId());
    return modelObject(resolved.model, name, snapshot.issuedAtMs);
  }

  private authenticate({ raw }: FastifyRequest): Promise<Principal> {
    return this.keys.authenticateAlone({ headers: raw.headers, address: this.addresses.of(raw), endpoint: 'models' });
  }
}

function modelObject(model: PublicModel, id: string, issuedAtMs: number): ModelObject {
  const provider = model.deployments[0]?.id.split('/')[0] ?? 'deja';
  return { id, object: 'model', created: Math.floor(issuedAtMs / 1000), owned_by: provider };
}
