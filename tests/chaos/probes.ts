import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { poll } from '@deja/launcher';
import { reasonOf, wasNotTaken } from './balancer.ts';
import { MODEL } from './load.ts';
import type { BadRequest, ChangeProbe } from './evidence.ts';
import { badRequest, fresh } from './questions.ts';
import type { ChaosStage } from './stage.ts';

const ASK_EVERY_MS = 250;
const ASKED_FOR_MS = 2500;
const IN_FORCE_BY_MS = 10_000;
const BETWEEN_MS = 1500;
const BAD_EVERY_MS = 400;
const PATIENCE_MS = 60_000;
const NOBODYS_KEY = `sk-deja-${'0'.repeat(16)}-${'0'.repeat(32)}`;
const GATEWAYS = [0, 1];
/** A gateway that decides limits by itself knows only what it admitted in that way: nothing is to be said of this change then. */
export const LOWERED_LIMIT = 'a limit that was lowered below what is used';

interface Reply {
  status: number;
  code: string | null;
  cache: string | null;
}

/** Something that is changed, and how it shows. */
interface Change {
  what: string;
  /** Resolves when all gateways act as before the change; rejects where they do not. */
  prepare: () => Promise<void>;
  change: () => Promise<unknown>;
  found: (gateway: number) => Promise<ChangeProbe['found']>;
}

/** Changes keys, limits and cached answers over and over, and asks every gateway afterwards what holds. */
export class ChangeProber {
  readonly found: ChangeProbe[] = [];
  /** Changes that could not be made, or were disturbed by a fault during which nothing is promised of them. */
  abandoned = 0;
  private readonly stage: ChaosStage;
  private readonly mayProbe: () => boolean;
  private made = 0;

  /** @param mayProbe whether nothing is wrong at the moment that would keep a change from being heard of */
  constructor(stage: ChaosStage, mayProbe: () => boolean) {
    this.stage = stage;
    this.mayProbe = mayProbe;
  }

  async run(isOver: () => boolean): Promise<void> {
    const makers = [() => this.revocation(), () => this.lowerLimit(), () => this.invalidation()];
    for (let n = 0; !isOver(); await delay(Math.min(BETWEEN_MS, ASK_EVERY_MS * 2))) {
      if (!this.mayProbe()) continue;
      const make = makers[n++ % makers.length];
      try {
        if (make !== undefined) await this.probe(await make(), isOver);
      } catch {
        this.abandoned += 1;
      }
    }
  }

  private async probe({ what, prepare, change, found }: Change, isOver: () => boolean): Promise<void> {
    await prepare();
    await change();
    const changedMs = performance.now();
    while (performance.now() < changedMs + ASKED_FOR_MS && !isOver()) {
      const answers = await Promise.all(GATEWAYS.map(async (gateway) => {
        const [afterMs, startMs] = [Math.round(performance.now() - changedMs), Date.now()];
        const seen = await found(gateway).catch(() => 'nothing' as const);
        return { what, gateway, startMs, endMs: Date.now(), afterMs, found: seen };
      }));
      if (!this.mayProbe()) {
        this.abandoned += 1;
        return;
      }
      this.found.push(...answers);
      await delay(ASK_EVERY_MS);
    }
  }

  private async revocation(): Promise<Change> {
    const { id, key } = await this.key({});
    return {
      what: 'a key that was disabled',
      prepare: () => this.everywhere(async (gateway) => (await this.ask(key, gateway)).status === 200),
      change: () => this.stage.admin.done('PATCH', `keys/${id}`, { disabled: true }, { headers: { 'idempotency-key': randomUUID() } }),
      found: async (gateway) => byCode(await this.ask(key, gateway), 'key_disabled'),
    };
  }

  private async lowerLimit(): Promise<Change> {
    const { id, key } = await this.key({ limits: { requests_per_minute: 1000 } });
    return {
      what: LOWERED_LIMIT,
      prepare: () => this.everywhere(async (gateway) => (await this.ask(key, gateway)).status === 200),
      change: () => this.stage.admin.done('PATCH', `keys/${id}`, { limits: { requests_per_minute: 1 } }, { headers: { 'idempotency-key': randomUUID() } }),
      found: async (gateway) => byCode(await this.ask(key, gateway), 'rate_limit_exceeded'),
    };
  }

  private async invalidation(): Promise<Change> {
    const { key } = await this.key({});
    const { text } = fresh('x', this.made++);
    let entry = '';
    const cached = async (gateway: number): Promise<boolean> => (await this.ask(key, gateway, text)).cache === 'HIT-EXACT';
    return {
      what: 'a cached answer that was taken back',
      prepare: async () => {
        // One after the other: two gateways that are asked at once both buy an answer, and the later one may be written when the earlier one's name was read.
        await this.holds(cached, 0);
        await this.everywhere(cached);
        entry = await this.entryOf(key, text);
      },
      change: () => this.stage.admin.done('POST', 'cache/invalidate', { entry }),
      found: async (gateway) => {
        const reply = await this.ask(key, gateway, text, { 'cache-control': 'only-if-cached' });
        return reply.status === 200 ? 'old' : reply.status === 504 ? 'new' : 'nothing';
      },
    };
  }

  private async key(settings: object): Promise<{ id: string; key: string }> {
    const made = await this.stage.admin.done('POST', 'keys', { tenant: 'probes', name: 'probe', ...settings }, { headers: { 'idempotency-key': randomUUID() } });
    return { id: String(made['id']), key: String(made['key']) };
  }

  private async everywhere(holds: (gateway: number) => Promise<boolean>): Promise<void> {
    await Promise.all(GATEWAYS.map((gateway) => this.holds(holds, gateway)));
  }

  private async holds(holds: (gateway: number) => Promise<boolean>, gateway: number): Promise<void> {
    const held = await poll(async () => ((await holds(gateway).catch(() => false)) ? true : null), { deadlineMs: IN_FORCE_BY_MS });
    if (held === null) throw new Error(`it does not hold at gateway ${gateway}`);
  }

  private async entryOf(key: string, text: string): Promise<string> {
    const response = await post(this.stage, { key, gateway: 0, body: chat(text) });
    await response.text();
    return response.headers.get('x-cache-entry') ?? '';
  }

  private async ask(key: string, gateway: number, text = fresh('x', this.made++).text, headers: Record<string, string> = {}): Promise<Reply> {
    const response = await post(this.stage, { key, gateway, body: chat(text), headers });
    return { status: response.status, code: codeOf(await response.text()), cache: response.headers.get('x-cache') };
  }
}

/** Sends what must be refused, all the time. */
export class BadClient {
  readonly sent: BadRequest[] = [];
  private readonly stage: ChaosStage;
  private readonly isReady: (gateway: number) => boolean;

  constructor(stage: ChaosStage, isReady: (gateway: number) => boolean) {
    this.stage = stage;
    this.isReady = isReady;
  }

  async run(isOver: () => boolean, random: () => number): Promise<void> {
    const key = Object.values(this.stage.keys.free)[0] ?? '';
    const sending = new Set<Promise<void>>();
    for (let n = 0; !isOver(); n++) {
      const gateway = n % GATEWAYS.length;
      const [what, body, path] = badRequest(random);
      const one = this.isReady(gateway) ? this.send(gateway, n % 5 === 0 ? { what: 'a key of nobody', key: NOBODYS_KEY, body: chat('bad') } : { what, key, body, ...(path !== undefined && { path }) }) : Promise.resolve();
      sending.add(one.finally(() => sending.delete(one)));
      await delay(BAD_EVERY_MS);
    }
    await Promise.all(sending);
  }

  private async send(gateway: number, { what, ...request }: { what: string; key: string; body: string | object; path?: string }): Promise<void> {
    const sent: BadRequest = { what, gateway, startMs: Date.now(), endMs: Date.now(), status: null, code: null };
    // As the balancer does it: what one does not take the other one gets.
    for (const at of [gateway, ...GATEWAYS.filter((other) => other !== gateway)]) {
      sent.gateway = at;
      try {
        const response = await post(this.stage, { gateway: at, ...request });
        sent.status = response.status;
        sent.code = codeOf(await response.text());
        break;
      } catch (error) {
        sent.why = reasonOf(error); // it has no status: the connection broke
        if (!wasNotTaken(error)) break;
      }
    }
    sent.endMs = Date.now();
    this.sent.push(sent);
  }
}

const chat = (content: string): object => ({ model: MODEL, messages: [{ role: 'user', content }] });

function post({ cluster }: ChaosStage, { key, gateway, body, path = 'chat/completions', headers = {} }: { key: string; gateway: number; body: string | object; path?: string; headers?: Record<string, string> }): Promise<Response> {
  return fetch(`${cluster.urls[gateway]}/v1/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE_MS),
  });
}

const byCode = ({ status, code }: Reply, wanted: string): ChangeProbe['found'] => (status === 200 ? 'old' : code === wanted ? 'new' : 'nothing');

function codeOf(text: string): string | null {
  try {
    return (JSON.parse(text) as { error?: { code?: string } }).error?.code ?? null;
  } catch {
    return null; // an answer, or nothing
  }
}
