import { applyDecorators, Controller, Injectable, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { newId } from '@deja/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdminAccess } from './admin-access.ts';

/** Where everything of the admin surface stands. */
export const ADMIN_PATH = 'admin/v1';

/** The one way into the admin surface: who is not admitted gets no further, and whatever is answered is kept nowhere. */
@Injectable()
export class AdminDoor implements CanActivate {
  constructor(private readonly access: AdminAccess) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    // Set before anything can be refused: errors keep them.
    void reply.headers({ 'cache-control': 'no-store', 'x-request-id': newId() });
    this.access.admit(http.getRequest<FastifyRequest>().raw.headers);
    return true;
  }
}

/** A controller below `/admin/v1`, behind the door. */
export const AdminController = (path = ''): ClassDecorator =>
  applyDecorators(Controller(path === '' ? ADMIN_PATH : `${ADMIN_PATH}/${path}`), UseGuards(AdminDoor)) as ClassDecorator;
