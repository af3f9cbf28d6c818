import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { DynamicModule } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { fromAzurePath } from './azure-paths.ts';
import type { Admits } from './overload/overload-hook.ts';
import { headProblem } from './request-head.ts';
import { refuseRaw, refuseUnreadable, wasRefused } from './unreadable.ts';

export interface HttpAppOptions {
  /** What becomes of a body; that of a form streams by. */
  read: (request: FastifyRequest, payload: IncomingMessage) => Promise<unknown>;
  /** Connections are then closed with their next answer. */
  isDraining: () => boolean;
  /** Whether a request is taken on, before anything is done for it; everything is, unless given. */
  admits?: Admits;
  logger?: false | ('error' | 'warn')[];
}

/** Longer than load balancers keep a connection to reuse it (AWS 60 s unless told otherwise, Google Cloud 600 s): it is theirs to close, or a request is lost on its way. */
const KEEP_ALIVE_MS = 650_000;

/** A client that takes longer for the head of its request is not waited for; nor for all of it, such as the upload of a large file. Bodies that drip: connection-deadlines.ts. */
const HEAD_MS = 30_000;
const WHOLE_REQUEST_MS = 3_600_000;
/** How often Node looks for both. */
const LOOK_MS = 5000;

const OPTIONS = {
  http: { requireHostHeader: false, headersTimeout: HEAD_MS, connectionsCheckingInterval: LOOK_MS },
  requestTimeout: WHOLE_REQUEST_MS,
  clientErrorHandler: refuseRaw, frameworkErrors: refuseUnreadable, routerOptions: { ignoreTrailingSlash: true },
  keepAliveTimeout: KEEP_ALIVE_MS,
  forceCloseConnections: 'idle',
  // A request that reaches a server which is closing came by a connection that nobody closed in time: it is answered like any other.
  return503OnClosing: false,
} as const;

/** An application of Nest's on Fastify, not yet listening: what comes by HTTP reaches its controllers as it was sent, and what is no HTTP is refused in the shape of all errors. */
export async function httpApp(module: DynamicModule, { read, isDraining, admits, logger = ['error', 'warn'] }: HttpAppOptions): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({ ...OPTIONS, rewriteUrl: (request: { url?: string | undefined }) => fromAzurePath(request.url ?? '/') });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, { bodyParser: false, logger });
  const http = adapter.getInstance();
  // The body stays bytes until it is parsed by whoever knows what it should be: what is passed on untouched keeps every digit.
  http.removeAllContentTypeParsers();
  http.addContentTypeParser('*', read);
  // A form may hold a file of any size: it streams by.
  http.addContentTypeParser(/^multipart\/form-data/i, (_request: FastifyRequest, payload: IncomingMessage, done: (error: null, body: IncomingMessage) => void) => done(null, payload));
  const misread = new WeakSet<Socket>();
  http.addHook('onRequest', ({ raw }, reply, done) => {
    // What stands behind a head of two meanings may be the body of it: it is no request.
    if (misread.has(raw.socket) || wasRefused(raw.socket)) return void reply.hijack();
    const problem = headProblem(raw);
    if (problem !== null) misread.add(raw.socket);
    if (problem !== null || isDraining()) reply.raw.setHeader('connection', 'close');
    done(problem ?? undefined);
  });
  if (admits !== undefined) http.addHook('onRequest', (request, reply, done) => (admits(request, reply) ? done() : undefined));
  // Whoever expects more than `100-continue` is answered like anybody else: Node's own refusal would have no body (RFC 9110, section 10.1.1, leaves the choice).
  http.server.on('checkExpectation', (request, response) => void http.server.emit('request', request, response));
  // Node would close the connection without a word.
  http.server.on('connect', (_request, socket: Socket) => refuseRaw(new Error('deja is no proxy'), socket));
  return app;
}
