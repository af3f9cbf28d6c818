import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { DejaError, newId, type Principal, type PublicModel } from '@deja/contracts';
import { resolveModelName } from '@deja/routing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KeyRing } from '../keys/key-ring.ts';
import { RoutingTable } from '../plan/routing-table.ts';

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
  ) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<{ object: 'list'; data: ModelObject[] }> {
    const principal = await this.keys.authenticate(request.raw.headers);
    const { models, issuedAtMs } = this.routing.snapshot();
    void reply.header('x-request-id', newId());
    return { object: 'list', data: models.filter((model) => model.name !== ANY_MODEL && mayUse(principal, model.name)).map((model) => modelObject(model, model.name, issuedAtMs)) };
  }

  /** Model names may hold slashes. */
  @Get('*')
  async one(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply, @Param('*') name: string): Promise<ModelObject> {
    const principal = await this.keys.authenticate(request.raw.headers);
    const snapshot = this.routing.snapshot();
    const model = resolveModelName(snapshot, name)?.model;
    if (!model || !mayUse(principal, name)) throw new DejaError('model_not_found', `The model '${name}' does not exist.`, { param: 'model' });
    void reply.header('x-request-id', newId());
    return modelObject(model, name, snapshot.issuedAtMs);
  }
}

const mayUse = (principal: Principal, name: string): boolean => principal.models === null || principal.models.includes(name);

function modelObject(model: PublicModel, id: string, issuedAtMs: number): ModelObject {
  const provider = model.deployments[0]?.id.split('/')[0] ?? 'deja';
  return { id, object: 'model', created: Math.floor(issuedAtMs / 1000), owned_by: provider };
}
