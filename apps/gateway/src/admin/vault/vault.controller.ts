import { HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { noBody } from '../admin-body.ts';
import { AdminController } from '../admin-door.ts';
import { Vault, type RewrapObject } from './vault.ts';

/** `/admin/v1/vault` */
@AdminController('vault')
export class VaultController {
  constructor(private readonly vault: Vault) {}

  @Post('rewrap')
  @HttpCode(200)
  rewrap(@Req() request: FastifyRequest): Promise<RewrapObject> {
    noBody(request);
    return this.vault.rewrap();
  }
}
