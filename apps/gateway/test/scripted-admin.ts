import 'reflect-metadata';
import type { IncomingMessage } from 'node:http';
import { inspect } from 'node:util';
import { Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { CredentialView, DeploymentView, JsonWebKeyPublic, RouterRpc } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';
import type { Logger } from '@deja/telemetry';
import type { FastifyRequest, InjectOptions, LightMyRequestResponse } from 'fastify';
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose';
import { ErrorFilter } from '../src/error.filter.ts';
import { Runtime } from '../src/runtime.ts';
import { AdminAccess } from '../src/admin/admin-access.ts';
import { isForAdmin, readAdminBody } from '../src/admin/admin-body.ts';
import { ADMIN_CONTROLLERS, AdminSurface } from '../src/admin/admin-surface.ts';
import { Credentials } from '../src/admin/credentials/credentials.ts';
import { Deployments } from '../src/admin/deployments/deployments.ts';
import { PlanExplainer, type Explain } from '../src/admin/plan/plan-explainer.ts';
import { Vault } from '../src/admin/vault/vault.ts';

export const ADMIN_KEY = 'deja-admin-for-tests';
export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

/** What the router answers to each call; a call that is not scripted fails the test. */
export type Script = { [P in keyof RouterRpc]?: (request: RouterRpc[P]['request']) => RouterRpc[P]['reply'] | Promise<RouterRpc[P]['reply']> };

export interface ScriptedAdmin {
  /** With the admin key, unless it brings an authorization of its own. */
  send(request: InjectOptions): Promise<LightMyRequestResponse>;
  /** Every call to the router. */
  calls: { pattern: string; request: unknown }[];
  /** Everything that was logged, as text. */
  lines: string[];
  close(): Promise<void>;
}

export interface ScriptedAdminOptions {
  script?: Script;
  adminKey?: string | null;
  explain?: Explain;
  seen?: RoutingView;
  now?: () => number;
}

/** The admin surface as the gateway serves it, over a router that plays a script. */
export async function scriptedAdmin({ script = {}, adminKey = ADMIN_KEY, explain, seen, now = () => NOW_MS }: ScriptedAdminOptions = {}): Promise<ScriptedAdmin> {
  const calls: ScriptedAdmin['calls'] = [];
  const lines: string[] = [];
  const log = (...parts: unknown[]): void => void lines.push(inspect(parts, { depth: 10 }));
  const logger = { info: log, warn: log, error: log } as unknown as Logger;
  const surface = new AdminSurface({
    adminKey,
    call: async (pattern, request) => {
      calls.push({ pattern, request });
      const play = script[pattern];
      if (play === undefined) throw new Error(`the script has no ${pattern}`);
      return play(request);
    },
    seen: () => seen ?? { deployments: new Map(), credentials: new Map() },
    explain: explain ?? (() => ({ snapshotVersion: 1, candidates: [] })),
    logger,
    now,
  });

  @Module({
    controllers: ADMIN_CONTROLLERS,
    providers: [
      { provide: Runtime, useValue: { logger } },
      { provide: APP_FILTER, useClass: ErrorFilter },
      { provide: AdminAccess, useValue: surface.access },
      { provide: Credentials, useValue: surface.credentials },
      { provide: Vault, useValue: surface.vault },
      { provide: Deployments, useValue: surface.deployments },
      { provide: PlanExplainer, useValue: surface.plans },
    ],
  })
  class TestModule {}

  const adapter = new FastifyAdapter({ routerOptions: { ignoreTrailingSlash: true } });
  const app = await NestFactory.create<NestFastifyApplication>(TestModule, adapter, { bodyParser: false, logger: false });
  const http = adapter.getInstance();
  // As main.ts has it.
  http.removeAllContentTypeParsers();
  http.addContentTypeParser('*', (request: FastifyRequest, payload: IncomingMessage) => {
    if (!isForAdmin(request)) throw new Error('a request of the admin surface was not taken for one');
    return readAdminBody(payload);
  });
  http.addContentTypeParser(/^multipart\/form-data/i, (_request: FastifyRequest, payload: IncomingMessage, done: (error: null, body: IncomingMessage) => void) => done(null, payload));
  await app.init();
  await http.ready();
  return {
    send: async (request) => (await http.inject({ ...request, headers: { authorization: `Bearer ${ADMIN_KEY}`, ...request.headers } })) as LightMyRequestResponse,
    calls,
    lines,
    close: () => app.close(),
  };
}

/** A key pair as the router has one. */
export async function vaultKeyPair(): Promise<{ publicKey: JsonWebKeyPublic; open: (jwe: string) => Promise<string> }> {
  const { publicKey, privateKey } = await generateKeyPair('ECDH-ES', { crv: 'P-256' });
  return {
    publicKey: (await exportJWK(publicKey)) as JsonWebKeyPublic,
    open: async (jwe) => new TextDecoder().decode((await compactDecrypt(jwe, privateKey)).plaintext),
  };
}

export const credentialView = (changes: Partial<CredentialView> = {}): CredentialView => ({
  id: '019b7d9e-0000-7000-8000-000000000001',
  provider: 'openai',
  name: 'main',
  tenant: null,
  baseUrl: null,
  weight: 1,
  limits: {},
  disabled: false,
  source: 'api',
  lastFour: 'wxyz',
  graceUntilMs: null,
  trouble: null,
  unavailableUntilMs: 0,
  createdAtMs: NOW_MS - 60_000,
  updatedAtMs: NOW_MS - 60_000,
  ...changes,
});

export const deploymentView = (changes: Partial<DeploymentView> = {}): DeploymentView => ({
  id: 'openai/gpt-4o',
  provider: 'openai',
  kind: 'openai',
  upstreamModel: 'gpt-4o',
  models: ['gpt-4o'],
  drained: false,
  trouble: null,
  unavailableUntilMs: 0,
  firstByteMs: null,
  calls: 0,
  failures: 0,
  credentials: [],
  ...changes,
});
