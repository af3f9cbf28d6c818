import { Delete, Get, HttpCode, Param, Patch, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { bodyOf, noBody } from '../admin-body.ts';
import { AdminController } from '../admin-door.ts';
import type { Page } from '../admin-list.ts';
import { idAndAction } from '../resource-path.ts';
import type { CredentialObject } from './credential-object.ts';
import { CREDENTIAL_CHANGE, NEW_CREDENTIAL, ROTATION } from './credential-schemas.ts';
import { Credentials } from './credentials.ts';

/** `/admin/v1/credentials`. Ids may hold slashes. */
@AdminController('credentials')
export class CredentialsController {
  constructor(private readonly credentials: Credentials) {}

  @Post()
  create(@Req() request: FastifyRequest): Promise<CredentialObject> {
    return this.credentials.create(bodyOf(request, NEW_CREDENTIAL));
  }

  @Get()
  list(@Query() query: unknown): Promise<Page<CredentialObject>> {
    return this.credentials.list(query);
  }

  @Get('*')
  one(@Param('*') id: string): Promise<CredentialObject> {
    return this.credentials.get(id);
  }

  @Patch('*')
  update(@Req() request: FastifyRequest, @Param('*') id: string): Promise<CredentialObject> {
    return this.credentials.update(id, bodyOf(request, CREDENTIAL_CHANGE));
  }

  @Post('*')
  @HttpCode(200)
  rotate(@Req() request: FastifyRequest, @Param('*') path: string): Promise<CredentialObject> {
    const { id } = idAndAction(path, ['rotate']);
    return this.credentials.rotate(id, bodyOf(request, ROTATION));
  }

  @Delete('*')
  async delete(@Req() request: FastifyRequest, @Param('*') id: string): Promise<{ object: 'credential'; id: string; deleted: true }> {
    noBody(request);
    await this.credentials.delete(id);
    return { object: 'credential', id, deleted: true };
  }
}
