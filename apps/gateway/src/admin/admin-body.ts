import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { DejaError } from '@deja/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { RefusedBody } from '../pipeline/body-reader.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import { parseOrRefuse } from '../validate/refuse.ts';
import { ADMIN_PATH } from './admin-door.ts';

export const MAX_ADMIN_BODY_BYTES = 64 * 1024;

const JSON_TYPE = /^application\/json *(?:; *charset *= *"?utf-8"? *)?$/i;
/** What a field's name looks like. Anything else may be a value that got into the wrong place, and is not repeated. */
const FIELD_NAME = /^[a-z_][a-z0-9_]{0,23}$/i;

/** Whether a request is one of the admin surface's, by the route it took: an encoded path is another spelling of the same. */
export const isForAdmin = (request: FastifyRequest): boolean => `${request.routeOptions.url ?? ''}/`.startsWith(`/${ADMIN_PATH}/`);

/** Reads a body to its end, never more than an admin body may have. Never rejects with a DejaError: the door comes first. */
export async function readAdminBody(payload: IncomingMessage): Promise<Buffer | RefusedBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of payload.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_ADMIN_BODY_BYTES) {
      payload.resume(); // dropped as it comes, so that the client hears the answer
      return new RefusedBody(tooLarge(), null);
    }
  }
  return Buffer.concat(chunks);
}

/** The JSON object of a request, as the schema has it. Throws a 400 that names the field and quotes no value, or 413. */
export function bodyOf<T>(request: FastifyRequest, schema: z.ZodType<T>): T {
  const bytes = bytesOf(request);
  if (!JSON_TYPE.test(request.raw.headers['content-type'] ?? '')) {
    throw new DejaError('invalid_value', 'Send the body as application/json.', { param: 'content-type' });
  }
  return strictly(schema, parsed(bytes));
}

/** For calls that take none; an empty object is as good. */
export function noBody(request: FastifyRequest): void {
  if (bytesOf(request).length > 0) bodyOf(request, z.strictObject({}));
}

/** Parses with a strict schema, or throws the 400 that names the first field nobody knows, else the first that is wrong. */
export function strictly<T>(schema: z.ZodType<T>, value: unknown): T {
  const unknown = schema.safeParse(value).error?.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown === undefined) return parseOrRefuse(schema, value);
  const name = unknown.keys[0] ?? '';
  if (!FIELD_NAME.test(name)) throw new DejaError('invalid_value', 'There is a field that this call does not take.');
  const param = [...unknown.path.map(String), name].join('.');
  throw new DejaError('invalid_value', `Unknown parameter: '${param}'.`, { param });
}

function bytesOf({ body, raw }: FastifyRequest): Buffer {
  if (body instanceof RefusedBody) throw body.error;
  if (body instanceof Readable) {
    body.resume();
    throw new DejaError('invalid_value', 'Send the body as application/json.', { param: 'content-type' });
  }
  if (!Buffer.isBuffer(body)) return Buffer.alloc(0);
  if (body.length > MAX_ADMIN_BODY_BYTES) throw tooLarge();
  const encoding = raw.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new DejaError('invalid_value', 'Send the body without a content-encoding.', { param: 'content-encoding' });
  }
  return body;
}

function parsed(bytes: Buffer): unknown {
  try {
    return parseJsonBody(bytes).value;
  } catch (error) {
    // A member that stands there twice is named, whatever it is.
    if (error instanceof DejaError && error.param !== null && !FIELD_NAME.test(error.param)) throw new DejaError('invalid_value', 'An object in the request body has a member twice: give it once.');
    throw error;
  }
}

const tooLarge = (): DejaError => new DejaError('request_too_large', `The request body has more than ${MAX_ADMIN_BODY_BYTES} bytes, which is the most allowed here.`);
