import 'reflect-metadata';
import { inspect } from 'node:util';
import type { AdminActor, AdminAnswer, CredentialView, DeploymentView, JsonWebKeyPublic, RouterRpc, UsageRpc } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';
import type { Logger } from '@deja/telemetry';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose';
import { AdminModule } from '../src/admin/admin.module.ts';
import { AdminSurface } from '../src/admin/admin-surface.ts';
import type { Explain } from '../src/admin/plan/plan-explainer.ts';
import type { CacheAdmin } from '../src/cache/cache-admin.ts';
import type { DataKeys } from '../src/capture/data-keys.ts';
import type { BudgetList } from '../src/budgets/list-budgets.ts';
import { httpApp } from '../src/http-app.ts';
import type { Runtime } from '../src/runtime.ts';

export const ADMIN_KEY = 'deja-admin-for-tests';
export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
/** Who calls with the admin key, as changes say it. */
export const ROOT: AdminActor = { id: 'root', name: 'root', role: 'owner', tenant: null, from: '203.0.113.9', requestId: '' };

type Plays<Rpc extends { [P in keyof Rpc]: { request: unknown; reply: unknown } }> = { [P in keyof Rpc]?: (request: Rpc[P]['request'], signal?: AbortSignal) => Rpc[P]['reply'] | Promise<Rpc[P]['reply']> };
/** What the router answers to each call; a call that is not scripted fails the test. */
export type Script = Plays<RouterRpc>;

export interface ScriptedAdmin {
  /** With the admin key, unless it brings an authorization of its own. */
  send(request: InjectOptions): Promise<LightMyRequestResponse>;
  /** Listens, for what needs a connection; the address with `/admin/v1`. */
  listen(): Promise<string>;
  /** Every call to the router and to the usage-worker, but those that ask whose a token is. */
  calls: { pattern: string; request: unknown }[];
  /** Everything that was logged, as text. */
  lines: string[];
  close(): Promise<void>;
}

export interface ScriptedAdminOptions {
  script?: Script;
  /** What the usage-worker answers. */
  usage?: Plays<UsageRpc>;
  adminKey?: string | null;
  explain?: Explain;
  listBudgets?: BudgetList['list'];
  cache?: CacheAdmin;
  dataKeys?: Pick<DataKeys, 'byId'>;
  seen?: RoutingView;
  now?: () => number;
}

const unscripted = (): Promise<never> => Promise.reject(new Error('the script has no cache'));

/** The admin surface as the gateway serves it on a port of its own, over apps that play a script. */
export async function scriptedAdmin({ script = {}, usage = {}, adminKey = ADMIN_KEY, explain, listBudgets, cache, dataKeys, seen, now = () => NOW_MS }: ScriptedAdminOptions = {}): Promise<ScriptedAdmin> {
  const calls: ScriptedAdmin['calls'] = [];
  const lines: string[] = [];
  const log = (...parts: unknown[]): void => void lines.push(inspect(parts, { depth: 10 }));
  const logger = { info: log, warn: log, error: log } as unknown as Logger;
  const played = (plays: Record<string, ((request: never, signal?: AbortSignal) => unknown) | undefined>) => async (pattern: string, request: unknown, { signal }: { signal?: AbortSignal }): Promise<never> => {
    if (pattern !== 'resolve_admin_token') calls.push({ pattern, request });
    if (pattern === 'captured' && plays[pattern] === undefined) return { captured: null } as never;
    const play = plays[pattern];
    if (play === undefined) throw new Error(`the script has no ${pattern}`);
    return (await play(request as never, signal)) as never;
  };
  const surface = new AdminSurface({
    adminKey,
    callRouter: played(script),
    callUsage: played(usage),
    clientAddress: () => ROOT.from,
    seen: () => seen ?? { deployments: new Map(), credentials: new Map() },
    explain: explain ?? (() => ({ snapshotVersion: 1, candidates: [] })),
    dataKeys: dataKeys ?? { byId: () => Promise.resolve(null) },
    cache: cache ?? ({ stats: unscripted, invalidate: unscripted, feedback: unscripted } as unknown as CacheAdmin),
    listBudgets: listBudgets ?? (() => Promise.reject(new Error('the script has no budgets'))),
    logger,
    now,
  });
  const app = await httpApp(AdminModule.alone(surface, { logger } as Runtime), { isDraining: () => false, logger: false, read: (_request, payload) => Promise.resolve(payload) });
  await app.init();
  const http = app.getHttpAdapter().getInstance();
  await http.ready();
  return {
    send: async (request) => (await http.inject({ ...request, headers: { authorization: `Bearer ${ADMIN_KEY}`, ...request.headers } })) as LightMyRequestResponse,
    listen: async () => {
      await app.listen(0, '127.0.0.1');
      return `${await app.getUrl()}/admin/v1`;
    },
    calls,
    lines,
    close: () => app.close(),
  };
}

/** A token in the form of those that the router makes, and how it says whose it is. */
export const TOKEN = `deja-admin-${'a'.repeat(16)}-${'b'.repeat(32)}`;
export const tokenOf = (actor: Partial<NonNullable<RouterRpc['resolve_admin_token']['reply']['actor']>> | null): Script => ({
  resolve_admin_token: () => ({ actor: actor === null ? null : { id: '019b7d9e-0000-7000-8000-00000000000a', name: 'ci', role: 'owner', tenant: null, ...actor } }),
});
export const withToken = { authorization: `Bearer ${TOKEN}` };

/** What a change says of who made it. */
export const changeBy = (by: Partial<AdminActor> = {}, conditions: { ifMatch?: string; idempotency?: { key: string; fingerprint: string } } = {}): object => ({
  by: { ...ROOT, requestId: expect.any(String), ...by }, ifMatch: null, idempotency: null, ...conditions,
});

export const adminAnswer = (answer: Partial<AdminAnswer> = {}): AdminAnswer => ({ body: {}, etag: null, sealedSecret: null, next: null, replayed: false, ...answer });

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
  revision: 3,
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
