import { isUp, onReady, openRedis, type OutageLogger, type RedisClient } from '@deja/redis';
import type { Redis } from 'ioredis';

/** A client's two connections: one sends, the other hears the replies. Usable only while both stand and the inbox is subscribed. */
export class ClientLink {
  readonly commands: RedisClient;
  private readonly subscriber: Redis;
  private readonly inbox: string;
  private isSubscribed = false;
  /** Settles with the first attempt: true when calls can be made, false when they cannot for now. */
  readonly opened: Promise<boolean>;

  constructor(
    o: { redisUrl: string; name: string; logger: OutageLogger },
    inbox: string,
    on: { message: (text: string) => void; lost: (reason: string) => void },
  ) {
    this.inbox = inbox;
    this.commands = openRedis(o.redisUrl, { role: 'commands', name: o.name, logger: o.logger });
    this.subscriber = openRedis(o.redisUrl, { role: 'subscriber', name: `${o.name}-inbox`, logger: o.logger });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.opened = promise;
    const check = (): void => {
      if (this.isUp) resolve(true);
    };
    this.subscriber.on('message', (_channel: string, text: string) => on.message(text));
    this.subscriber.on('ready', () => void this.subscribe().then(check));
    onReady(this.commands, check);
    this.subscriber.on('close', () => {
      this.isSubscribed = false;
      resolve(false);
      on.lost('the connection for replies broke'); // what is published while nobody listens is lost
    });
    this.commands.on('close', () => {
      resolve(false);
      on.lost('the connection for requests broke');
    });
  }

  get isUp(): boolean {
    return this.isSubscribed && isUp(this.commands) && isUp(this.subscriber);
  }

  get connections(): RedisClient[] {
    return [this.commands, this.subscriber];
  }

  close(): void {
    this.commands.disconnect();
    this.subscriber.disconnect();
  }

  /** Said again after every reconnection: a call may be made only when Redis has confirmed that its reply will be heard. */
  private async subscribe(): Promise<void> {
    try {
      await this.subscriber.subscribe(this.inbox);
      this.isSubscribed = isUp(this.subscriber);
    } catch {
      this.isSubscribed = false; // the connection broke again and comes back with a new 'ready'
    }
  }
}
