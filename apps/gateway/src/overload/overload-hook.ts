import type { FastifyReply, FastifyRequest } from 'fastify';
import { isForAdmin } from '../admin/admin-body.ts';
import type { OverloadGate, Refused } from './overload-gate.ts';
import { answerRefused } from './refusal-answer.ts';

/** Whether a request goes on; one that does not has been answered. */
export type Admits = (request: FastifyRequest, reply: FastifyReply) => boolean;

export interface HookParts {
  gate: OverloadGate;
  refused: (refused: Refused) => void;
  /** In [0, 1). */
  random?: () => number;
}

/** For Fastify's `onRequest`: before the body is read, the key looked up, or an operation begun. A request that is refused is no operation, and in no ledger. */
export function overloadHook({ gate, refused, random = Math.random }: HookParts): Admits {
  const leftClient = (): void => gate.leave(false);
  const leftAdmin = (): void => gate.leave(true);
  return (request, reply) => {
    const isAdmin = isForAdmin(request);
    const refusal = gate.enter(request.raw.headers, isAdmin);
    if (refusal === null) {
      reply.raw.once('close', isAdmin ? leftAdmin : leftClient);
      return true;
    }
    refused(refusal);
    reply.hijack();
    answerRefused(reply.raw, random());
    return false;
  };
}
