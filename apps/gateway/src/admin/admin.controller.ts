import { Readable } from 'node:stream';
import { All, Controller, Req, Res } from '@nestjs/common';
import type { AdminOperation } from '@deja/admin-api';
import { newId } from '@deja/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Caller } from './admin-access.ts';
import { jsonObject, noBody, strictly } from './admin-body.ts';
import { ADMIN_PATH, routeOf } from './admin-routes.ts';
import { AdminSurface } from './admin-surface.ts';
import { conditionsOf } from './change-headers.ts';
import type { OperationCall } from './operation-call.ts';
import { parquetFile } from './parquet/parquet-file.ts';
import { permit, withinTenant } from './permission.ts';

const NO_QUERY = z.strictObject({});
const STREAM_TYPES: Record<string, string> = { csv: 'text/csv; charset=utf-8', jsonl: 'application/jsonl; charset=utf-8', parquet: 'application/vnd.apache.parquet' };

/** Every address below `/admin/v1`; the list of operations (libs/admin-api) says what is at which. */
@Controller(ADMIN_PATH)
export class AdminController {
  constructor(private readonly surface: AdminSurface) {}

  /** The way of one call, from the door to the answer. What it throws takes its shape in the error filter. */
  @All(['', '*'])
  async answer(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const requestId = newId();
    // Set before anything can be refused: errors keep them.
    void reply.headers({ 'cache-control': 'no-store', 'x-request-id': requestId });
    // Whether there is something at an address is for those to know who are let in; nor is a body read for anybody else.
    const caller = await this.surface.access.admit(request.raw.headers);
    const path = (request.params as Record<string, string | undefined>)['*'] ?? '';
    if (request.method === 'GET' && path === 'openapi.json') return void reply.type('application/json; charset=utf-8').send(this.surface.openApi());
    const { operation, params } = routeOf(request.method, path);
    permit(caller, operation);
    const query = checkedQuery(operation, request, caller);
    const body = await checkedBody(operation, request, caller);
    const change = {
      by: { ...caller, from: this.surface.clientAddress(request.raw), requestId },
      ...conditionsOf(operation, request.raw.headers, { path, body: body.parsed, fingerprintKey: this.surface.fingerprintKey }),
    };
    const call: OperationCall = { params, query: query.parsed, body: body.parsed, sent: { query: query.sent, body: body.sent }, change };
    if (operation.streams === true) return this.stream(operation, call, reply);
    const answer = await this.surface.answer(operation, call);
    if (operation.change) this.surface.logger.info({ operation: operation.id, ...params, by: caller.id, request_id: requestId, replayed: answer.replayed }, 'the admin API made a change');
    if (answer.etag !== null) void reply.header('etag', answer.etag);
    if (answer.replayed) void reply.header('idempotent-replayed', 'true');
    void reply.status(operation.status).send(answer.body);
  }

  /** What breaks off breaks the connection, so that it never looks complete; who leaves is not worked for. */
  private async stream(operation: AdminOperation, call: OperationCall, reply: FastifyReply): Promise<void> {
    const left = new AbortController();
    reply.raw.once('close', () => left.abort());
    const portions = await this.surface.portions(operation, call, left.signal);
    const { format = 'jsonl' } = call.query as { format?: string };
    const stream = Readable.from(format === 'parquet' ? parquetFile(portions) : portions);
    stream.on('error', (err) => {
      if (!left.signal.aborted) this.surface.logger.warn({ err, operation: operation.id, request_id: call.change.by.requestId }, 'an answer of the admin API broke off');
    });
    void reply.type(STREAM_TYPES[format] ?? 'text/plain; charset=utf-8').send(stream);
  }
}

/** As its schema has it, and as it came. */
interface Checked {
  parsed: unknown;
  sent: unknown;
}
const NOTHING: Checked = { parsed: null, sent: null };

function checkedQuery({ query }: AdminOperation, request: FastifyRequest, { tenant }: Caller): Checked {
  const given = request.query as Record<string, unknown>;
  if (query !== null) return checked(query, given, tenant);
  strictly(NO_QUERY, given);
  return NOTHING;
}

async function checkedBody({ body, method }: AdminOperation, request: FastifyRequest, { tenant }: Caller): Promise<Checked> {
  if (body !== null) return checked(body, await jsonObject(request), tenant);
  if (method !== 'GET') await noBody(request);
  return NOTHING;
}

function checked(schema: z.ZodType, given: Record<string, unknown>, tenant: string | null): Checked {
  const sent = withinTenant(schema, given, tenant);
  return { parsed: strictly(schema, sent), sent };
}
