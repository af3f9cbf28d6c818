import { Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { noBody } from '../admin-body.ts';
import { AdminController } from '../admin-door.ts';
import type { Page } from '../admin-list.ts';
import { idAndAction } from '../resource-path.ts';
import type { DeploymentObject } from './deployment-object.ts';
import { Deployments } from './deployments.ts';

/** `/admin/v1/deployments`. Ids hold slashes, plain or encoded. */
@AdminController('deployments')
export class DeploymentsController {
  constructor(private readonly deployments: Deployments) {}

  @Get()
  list(@Query() query: unknown): Promise<Page<DeploymentObject>> {
    return this.deployments.list(query);
  }

  @Get('*')
  one(@Param('*') id: string): Promise<DeploymentObject> {
    return this.deployments.get(id);
  }

  @Post('*')
  @HttpCode(200)
  drainOrResume(@Req() request: FastifyRequest, @Param('*') path: string): Promise<DeploymentObject> {
    const { id, action } = idAndAction(path, ['drain', 'resume']);
    noBody(request);
    return this.deployments.drain(id, action === 'drain');
  }
}
