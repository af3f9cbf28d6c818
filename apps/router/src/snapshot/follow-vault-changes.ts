import { PUSH_CHANNEL } from '@deja/contracts';
import type { Redis } from 'ioredis';
import { readPush } from '../push-channel.ts';

/** Calls back when the admin API changed credentials or deployments by way of any replica, and when that may have been missed. */
export function followVaultChanges(subscriber: Redis, onChange: () => void): void {
  subscriber.on('message', (channel: string, text: string) => {
    if (channel !== PUSH_CHANNEL) return;
    const push = readPush(text);
    if (push === null || push.kind === 'vault_changed') onChange();
  });
  const join = (): void => {
    // First to hear of everything from then on, then to look at what there is.
    subscriber.subscribe(PUSH_CHANNEL).then(onChange, () => {
      // The connection went away again: the next `ready` joins.
    });
  };
  subscriber.on('ready', join);
  if (subscriber.status === 'ready') join();
}
