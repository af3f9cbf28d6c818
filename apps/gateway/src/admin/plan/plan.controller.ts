import { HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { bodyOf } from '../admin-body.ts';
import { AdminController } from '../admin-door.ts';
import { PLAN_QUESTION, PlanExplainer, type PlanObject } from './plan-explainer.ts';

/** `/admin/v1/plan` */
@AdminController('plan')
export class PlanController {
  constructor(private readonly plans: PlanExplainer) {}

  @Post('explain')
  @HttpCode(200)
  explain(@Req() request: FastifyRequest): Promise<PlanObject> {
    return this.plans.answer(bodyOf(request, PLAN_QUESTION));
  }
}
