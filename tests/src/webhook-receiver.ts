import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from './client.ts';

/** What a webhook was told, as docs/alerts.md has it. */
export interface Told {
  id: string;
  alert: string;
  state: 'firing' | 'resolved';
  metric: string;
  value: number | null;
  threshold: number | null;
  labels: Record<string, string>;
  test?: true;
}

interface Received {
  told: Told;
  body: string;
  notification: string;
  signature: string | null;
}

/** A server that takes alerts, and keeps them. */
export class WebhookReceiver {
  /** In the order in which they came, also what came again. */
  readonly received: Received[] = [];
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts).toString('utf8');
        this.received.push({ told: JSON.parse(body) as Told, body, notification: String(request.headers['x-deja-notification']), signature: (request.headers['x-deja-signature'] as string | undefined) ?? null });
        response.writeHead(204).end();
      });
    });
  }

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  /** With a path that is a secret: whoever knows it may tell. */
  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/${path}`;
  }

  /** What was told of a rule so far; what came again is there once, by its name for that. */
  of(alert: string): Told[] {
    return [...new Map(this.received.filter(({ told }) => told.alert === alert).map((one) => [one.notification, one.told])).values()];
  }

  /** The first that was told of this rule in this state, now or soon. */
  whenTold(alert: string, state: Told['state'], deadlineMs: number): Promise<Told> {
    return eventually(`${alert} told to be ${state}`, () => this.of(alert).find((told) => told.state === state), deadlineMs);
  }

  /** Of all that was told of a rule: whether each is signed with this secret, over the time in the signature and the body as it came. */
  signedWith(secret: string, alert: string): boolean[] {
    return this.received.filter(({ told }) => told.alert === alert).map(({ body, signature }) => {
      const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature ?? '') ?? [];
      return v1 !== undefined && v1 === createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
    });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
