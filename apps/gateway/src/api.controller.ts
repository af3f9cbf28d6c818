import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Delete, Get, Param, Post, Req, Res } from '@nestjs/common';
import { DejaError } from '@deja/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { withModelOfPath } from './azure-paths.ts';
import { CHAT } from './chat/chat.endpoint.ts';
import { COMPLETIONS } from './completions/completions.endpoint.ts';
import type { QueryPairs } from './dialects/openai/address.ts';
import { EMBEDDINGS, EmbeddingsPipeline } from './embeddings/embeddings.pipeline.ts';
import { MODERATIONS } from './moderations/moderations.endpoint.ts';
import type { Operation } from './operation/operation.ts';
import { ModelCallPipeline, type ModelCall } from './passthrough/model-call.pipeline.ts';
import { ObjectsPipeline, type ObjectCall } from './passthrough/objects.pipeline.ts';
import type { ApiRequest, Endpoint } from './pipeline/endpoint.ts';
import { FrontDoor, wholeBody } from './pipeline/front-door.ts';
import { Pipeline } from './pipeline/pipeline.ts';
import { RESPONSES } from './responses/responses.endpoint.ts';

type Work = (operation: Operation, response: ServerResponse) => Promise<void>;

const IMAGES = (path: string): ModelCall => ({ path: `images/${path}`, offer: 'images', textMembers: ['prompt'] });
const AUDIO = (path: string, textMembers: readonly string[]): ModelCall => ({ path: `audio/${path}`, offer: 'audio', textMembers });

/** The whole surface for clients, `/v1/models` apart. Each call is an operation: the front door opens and settles it. */
@Controller(['v1', ''])
export class ApiController {
  constructor(
    private readonly door: FrontDoor,
    private readonly pipeline: Pipeline,
    private readonly embeddings: EmbeddingsPipeline,
    private readonly models: ModelCallPipeline,
    private readonly objects: ObjectsPipeline,
  ) {}

  @Post('chat/completions')
  chat(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.answer(CHAT, request, reply);
  }

  @Post('responses')
  responses(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.answer(RESPONSES, request, reply);
  }

  @Post('completions')
  completions(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.answer(COMPLETIONS, request, reply);
  }

  @Post('moderations')
  moderations(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.answer(MODERATIONS, request, reply);
  }

  @Post('embeddings')
  embed(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve(EMBEDDINGS.path, request, reply, (operation, response) => this.embeddings.answer(operation, bodyOf(request, operation), response));
  }

  @Post('images/:action')
  images(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('action') action: string): Promise<void> {
    return this.passOn(['generations', 'edits', 'variations'].includes(action) ? IMAGES(action) : null, request, reply);
  }

  @Post('audio/:action')
  audio(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('action') action: string): Promise<void> {
    if (action === 'speech') return this.passOn(AUDIO(action, ['input', 'instructions']), request, reply);
    return this.passOn(action === 'transcriptions' || action === 'translations' ? AUDIO(action, ['prompt']) : null, request, reply);
  }

  @Post('files')
  upload(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve('files', request, reply, (operation, response) => this.objects.upload(operation, form(request), response));
  }

  @Get('files')
  files(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve('files', request, reply, (operation, response) => this.objects.list(operation, 'file', onceEach(queryOf(request)), response));
  }

  @Get('files/:id')
  file(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('files/{id}', { kind: 'file', method: 'GET', id, action: '', query: [] }, request, reply);
  }

  @Get('files/:id/content')
  fileContent(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('files/{id}/content', { kind: 'file', method: 'GET', id, action: 'content', query: [] }, request, reply);
  }

  @Delete('files/:id')
  deleteFile(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('files/{id}', { kind: 'file', method: 'DELETE', id, action: '', query: [] }, request, reply);
  }

  @Post('batches')
  createBatch(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve('batches', request, reply, (operation, response) => this.objects.createBatch(operation, wholeBody(request, operation), response));
  }

  @Get('batches')
  batches(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve('batches', request, reply, (operation, response) => this.objects.list(operation, 'batch', onceEach(queryOf(request)), response));
  }

  @Get('batches/:id')
  batch(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('batches/{id}', { kind: 'batch', method: 'GET', id, action: '', query: [] }, request, reply);
  }

  @Post('batches/:id/cancel')
  cancelBatch(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('batches/{id}/cancel', { kind: 'batch', method: 'POST', id, action: 'cancel', query: [] }, request, reply);
  }

  @Get('responses/:id')
  response(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('responses/{id}', { kind: 'response', method: 'GET', id, action: '', query: queryOf(request) }, request, reply);
  }

  @Get('responses/:id/input_items')
  inputItems(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('responses/{id}/input_items', { kind: 'response', method: 'GET', id, action: 'input_items', query: queryOf(request) }, request, reply);
  }

  @Post('responses/:id/cancel')
  cancelResponse(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('responses/{id}/cancel', { kind: 'response', method: 'POST', id, action: 'cancel', query: [] }, request, reply);
  }

  @Delete('responses/:id')
  deleteResponse(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    return this.about('responses/{id}', { kind: 'response', method: 'DELETE', id, action: '', query: [] }, request, reply);
  }

  private answer<R extends ApiRequest>(endpoint: Endpoint<R>, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    return this.serve(endpoint.path, request, reply, (operation, response) => this.pipeline.answer(endpoint, operation, bodyOf(request, operation), response));
  }

  /** A form streams by, JSON is read. */
  private passOn(call: ModelCall | null, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (call === null) throw new DejaError('not_found', 'There is nothing at this address. The API is under /v1.');
    return this.serve(call.path, request, reply, (operation, response) => {
      const source = request.body;
      return isForm(request) ? this.models.answerForm(call, operation, source as IncomingMessage, response) : this.models.answerJson(call, operation, bodyOf(request, operation), response);
    });
  }

  private about(endpoint: string, call: ObjectCall, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    return this.serve(endpoint, request, reply, (operation, response) => this.objects.about(operation, call, wholeBody(request, operation), response));
  }

  private serve(endpoint: string, request: FastifyRequest, reply: FastifyReply, work: Work): Promise<void> {
    return this.door.serve(request, reply, endpoint, work);
  }
}

const bodyOf = (request: FastifyRequest, operation: Operation): Buffer => withModelOfPath(wholeBody(request, operation), request.originalUrl);

const isForm = (request: FastifyRequest): boolean => (request.raw.headers['content-type'] ?? '').toLowerCase().startsWith('multipart/form-data');

function form(request: FastifyRequest): IncomingMessage {
  if (!isForm(request)) throw new DejaError('invalid_value', 'Send the body as multipart/form-data.', { param: 'content-type' });
  return request.body as IncomingMessage;
}

const queryOf = ({ raw: { url = '' } }: FastifyRequest): QueryPairs => [...new URLSearchParams(/\?([^#]*)/s.exec(url)?.[1] ?? '')];

/** The parameters of a list by name; throws a 400 for one that is given twice. */
function onceEach(query: QueryPairs): Record<string, string> {
  const twice = query.find(([name], i) => query.findIndex(([other]) => other === name) < i);
  if (twice !== undefined) throw new DejaError('invalid_value', `Invalid value for '${twice[0].slice(0, 64)}': give it once.`, { param: twice[0].slice(0, 64) });
  return Object.fromEntries(query);
}
