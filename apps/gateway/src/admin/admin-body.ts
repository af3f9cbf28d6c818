import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { issueWords, memberAt } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseJsonBody, scanMembers } from '../validate/json-body.ts';
import { parseOrRefuse } from '../validate/refuse.ts';
import { ADMIN_PATH } from './admin-routes.ts';

/** A deja.yaml of a mebibyte, as text in JSON, fits. */
export const MAX_ADMIN_BODY_BYTES = 2 * 1024 * 1024;

const JSON_TYPE = /^application\/json *(?:; *charset *= *"?utf-8"? *)?$/i;
/** What a field's name looks like. Anything else may be a value that got into the wrong place, and is not repeated. */
const FIELD_NAME = /^[a-z_][a-z0-9_]{0,23}$/i;

/** Whether a request is one of the admin surface's, by the route it took: an encoded path is another spelling of the same. Its body is left where it is until the door has been passed. */
export const isForAdmin = (request: FastifyRequest): boolean => `${request.routeOptions.url ?? ''}/`.startsWith(`/${ADMIN_PATH}/`);

/** The JSON object of a request, not yet checked. Throws 400 or 413. */
export async function jsonObject(request: FastifyRequest): Promise<Record<string, unknown>> {
  return jsonIn(await bytesOf(request), request);
}

/** For calls that take none; an empty object is as good. */
export async function noBody(request: FastifyRequest): Promise<void> {
  const bytes = await bytesOf(request);
  if (bytes.length > 0) strictly(z.strictObject({}), jsonIn(bytes, request));
}

/** Parses with a strict schema, or throws the 400 that names the first field nobody knows, else the first that is wrong. It quotes no value. */
export function strictly<T>(schema: z.ZodType<T>, value: unknown): T {
  const unknown = schema.safeParse(value).error?.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown === undefined) {
    const parsed = parseOrRefuse(schema, value, issueWords);
    checkStorable(value);
    return parsed;
  }
  const name = unknown.keys[0] ?? '';
  if (!FIELD_NAME.test(name)) throw new DejaError('invalid_value', 'There is a field that this call does not take.');
  const param = memberAt([...unknown.path, name]);
  throw new DejaError('invalid_value', `Unknown parameter: '${param}'.`, { param });
}

/**
 * Looks at all of what a schema has taken, as it came, because another app gets it so. Postgres keeps no NUL, and no half of a surrogate
 * pair: neither gets as far as there. A member named `__proto__` is one that objects are made without: it would be left out in silence.
 */
function checkStorable(value: unknown): void {
  const walk = (inner: unknown, path: string): void => {
    if (typeof inner === 'string' && !isStorable(inner)) throw new DejaError('invalid_value', `Invalid value for '${path}': there is a NUL character in it, or half of a character.`, { param: path });
    if (typeof inner !== 'object' || inner === null) return;
    for (const [name, member] of Object.entries(inner)) {
      if (!isStorable(name)) throw new DejaError('invalid_value', 'There is a name with a NUL character in it, or half of a character.');
      const at = Array.isArray(inner) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
      if (name === '__proto__') throw new DejaError('invalid_value', `Invalid value for '${at}': nothing can have the name __proto__.`, { param: at });
      walk(member, at);
    }
  };
  walk(value, '');
}

const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

function jsonIn(bytes: Buffer, { raw }: FastifyRequest): Record<string, unknown> {
  if (!JSON_TYPE.test(raw.headers['content-type'] ?? '')) throw new DejaError('invalid_value', 'Send the body as application/json.', { param: 'content-type' });
  try {
    const { value } = parseJsonBody(bytes);
    // A client's request may repeat a member, of which the last one counts; of a change nobody is to guess which was meant.
    for (const [name, { length }] of scanMembers(bytes.toString('utf8'))) if (length > 1) throw twice(name);
    return value;
  } catch (error) {
    if (error instanceof DejaError && error.param !== null) throw twice(error.param);
    throw error;
  }
}

/** It is not repeated where it may be a value in the wrong place. */
function twice(name: string): DejaError {
  if (!FIELD_NAME.test(name)) return new DejaError('invalid_value', 'An object in the request body has a member twice: give it once.');
  return new DejaError('invalid_value', `An object in the request body has the member "${name}" twice: give it once.`, { param: name });
}

async function bytesOf({ body, raw }: FastifyRequest): Promise<Buffer> {
  const encoding = raw.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new DejaError('invalid_value', 'Send the body without a content-encoding.', { param: 'content-encoding' });
  }
  return body instanceof Readable ? read(body as IncomingMessage) : Buffer.alloc(0);
}

/** To its end, and never more than a body may have. What is too much is dropped as it comes, so that the client hears the answer. */
async function read(payload: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of payload.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_ADMIN_BODY_BYTES) {
      payload.resume();
      throw new DejaError('request_too_large', `The request body has more than ${MAX_ADMIN_BODY_BYTES} bytes, which is the most allowed here.`);
    }
  }
  return Buffer.concat(chunks);
}
