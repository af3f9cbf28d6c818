import { PUSH_CHANNEL } from '@deja/contracts';
import type { Redis } from 'ioredis';
import { readPush } from '../push-channel.ts';
import type { KeyDirectory } from './key-directory.ts';

/** Has the directory forget the keys that another replica changed, and everything when it may have missed that. */
export function followKeyChanges(subscriber: Redis, keys: Pick<KeyDirectory, 'forget' | 'forgetTenant' | 'forgetAll'>): void {
  subscriber.on('message', (channel: string, text: string) => {
    if (channel !== PUSH_CHANNEL) return;
    const push = readPush(text);
    // What cannot be read may have been about a key.
    if (push === null) keys.forgetAll();
    else if (push.kind === 'key_changed') keys.forget(push.keySha256);
    else if (push.kind === 'tenant_changed') keys.forgetTenant(push.tenant);
  });
  const join = (): void => {
    keys.forgetAll();
    subscriber.subscribe(PUSH_CHANNEL).catch(() => {
      // The connection went away again: the next `ready` joins.
    });
  };
  subscriber.on('ready', join);
  if (subscriber.status === 'ready') join();
}
