import { Controller, Post, Req, Res } from '@nestjs/common';
import { SpanKind } from '@opentelemetry/api';
import { contextOf } from '@deja/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Runtime } from '../runtime.ts';
import { CHAT_ENDPOINT, ChatPipeline } from './chat.pipeline.ts';
import { Operation } from './operation.ts';

@Controller(['v1', ''])
export class ChatController {
  constructor(
    private readonly pipeline: ChatPipeline,
    private readonly runtime: Runtime,
  ) {}

  /** 1 Receive: the body as bytes, an id, a span that continues the client's trace. The pipeline writes the reply itself. */
  @Post('chat/completions')
  async complete(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    reply.hijack();
    const { headers } = request.raw;
    const span = this.runtime.telemetry.tracer.startSpan(
      `POST /v1/${CHAT_ENDPOINT}`,
      { kind: SpanKind.SERVER, attributes: { 'http.request.method': 'POST', 'http.route': `/v1/${CHAT_ENDPOINT}` } },
      contextOf({ ...(typeof headers.traceparent === 'string' && { traceparent: headers.traceparent }), ...(typeof headers.tracestate === 'string' && { tracestate: headers.tracestate }) }),
    );
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    await this.pipeline.handle(new Operation(CHAT_ENDPOINT, headers, span), body, reply.raw);
  }
}
