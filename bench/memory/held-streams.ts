import { request, Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from '../added-latency/work.ts';

const OPENING_MS = 20;
const PAUSE_AFTER_FAILURE_MS = 500;

/** Clients each of which always has a stream open; when one has ended they ask for the next. */
export class HeldStreams {
  /** Open at this moment: the first piece has come, the last has not. */
  open = 0;
  ended = 0;
  failed = 0;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  private readonly target: Target;
  private isOver = false;
  private asked = 0;

  constructor(target: Target) {
    this.target = target;
  }

  /** One after another, so that they do not all end at once. */
  async start(clients: number): Promise<void> {
    for (let n = 0; n < clients; n++) {
      void this.keepAsking();
      await delay(OPENING_MS);
    }
  }

  /** What is open is cut. */
  close(): void {
    this.isOver = true;
    this.agent.destroy();
  }

  private async keepAsking(): Promise<void> {
    while (!this.isOver) {
      const whole = await this.ask();
      if (whole) this.ended++;
      else if (!this.isOver) {
        this.failed++;
        await delay(PAUSE_AFTER_FAILURE_MS);
      }
    }
  }

  /** Whether it came to its end. */
  private ask(): Promise<boolean> {
    const body = JSON.stringify({ model: 'held', stream: true, messages: [{ role: 'user', content: `Held stream ${this.asked++} of ${process.pid}` }] });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { port, key } = this.target;
    const asked = request({ port, host: '127.0.0.1', path: '/v1/chat/completions', method: 'POST', agent: this.agent, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (answer) => {
      let tail = '';
      const isStream = answer.statusCode === 200;
      if (isStream) this.open++;
      answer.setEncoding('latin1').on('data', (text: string) => (tail = (tail + text).slice(-32)));
      answer.on('close', () => {
        if (isStream) this.open--;
        resolve(tail.includes('[DONE]'));
      });
    });
    asked.on('error', () => resolve(false));
    asked.end(body);
    return promise;
  }
}
