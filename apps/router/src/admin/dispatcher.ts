import { ADMIN_OPERATIONS, pathParameters, type AdminOperation } from '@deja/admin-api';
import { DejaError, type AdminAnswer, type AdminCall } from '@deja/contracts';
import { z } from 'zod';
import { parsed } from '../parsed-payload.ts';
import { sealerTo } from '../vault/lease.ts';
import type { Changes } from './changes.ts';
import { onDatabase } from './database-trouble.ts';
import type { Done } from './done.ts';
import type { Handlers, RouterOperation } from './handlers.ts';
import { checkAllowed } from './scope.ts';

interface AnyCall extends Omit<AdminCall, 'operation' | 'sealTo'> {}
/** A handler as the dispatcher sees it: what it takes was checked by the operation's own schemas. */
type AnyHandler = (call: AnyCall, ...tx: unknown[]) => Promise<Done<unknown>>;

/** Calls of the admin API on what the router has: checks them once more, does them, and seals what is secret in the answer. */
export class AdminDispatcher {
  readonly #operations: Map<string, { operation: AdminOperation; handler: AnyHandler }>;

  constructor(
    handlers: Handlers,
    private readonly changes: Changes,
    /** Opens what was sealed to the cluster's own key. */
    private readonly open: (jwe: string) => Promise<Buffer>,
  ) {
    const own = ADMIN_OPERATIONS.filter((operation) => operation.owner === 'router');
    this.#operations = new Map(own.map((operation) => [operation.id, { operation, handler: handlers[operation.id satisfies RouterOperation] as AnyHandler }]));
  }

  /** Throws what the caller is to be told. */
  async answer({ operation: id, sealTo, ...call }: AdminCall): Promise<AdminAnswer> {
    const known = this.#operations.get(id);
    if (known === undefined) throw new DejaError('not_found', 'The router knows no such operation.', { param: 'operation' });
    const { operation, handler } = known;
    checkAllowed(call.by, operation);
    const checked = { ...call, params: paramsOf(operation, call.params), query: operation.query === null ? null : parsed(operation.query, call.query ?? {}), body: operation.body === null ? null : parsed(operation.body, operation.sealsBody === true ? await this.#opened(call.body) : call.body) };
    if (!operation.change) return { ...answerOf(await onDatabase(() => handler(checked))), sealedSecret: null, replayed: false };
    // First of all: a secret that cannot be told would be lost with the change already made.
    const seal = operation.secret === undefined ? null : await sealerTo(sealTo ?? lacksKey());
    const done = await this.changes.run(checked, (tx) => handler(checked, tx));
    return { ...answerOf(done), sealedSecret: seal === null || done.secret === undefined ? null : await seal(id, new TextEncoder().encode(done.secret)), replayed: done.replayed };
  }

  async #opened(body: unknown): Promise<unknown> {
    const { sealed } = parsed(SEALED_BODY, body);
    const text = await this.open(sealed);
    try {
      return JSON.parse(text.toString());
    } finally {
      text.fill(0);
    }
  }
}

const SEALED_BODY = z.object({ sealed: z.string() });

const answerOf = ({ body, etag }: Pick<Done<unknown>, 'body' | 'etag'>): Pick<AdminAnswer, 'body' | 'etag' | 'next'> => ({ body, etag, next: null });

function paramsOf(operation: AdminOperation, given: Record<string, string>): Record<string, string> {
  return Object.fromEntries(pathParameters(operation).map((name) => {
    const value = given[name];
    if (value === undefined) throw new DejaError('invalid_value', 'A parameter of the path is missing.', { param: name });
    return [name, value];
  }));
}

function lacksKey(): never {
  throw new DejaError('invalid_value', 'The answer has a secret: send a key that it can be sealed to.', { param: 'sealTo' });
}
