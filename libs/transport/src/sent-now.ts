import { gatherWrites, isCluster, type RedisClient } from '@deja/redis';
import { Command } from 'ioredis';

/**
 * Sends a command in this turn of the event loop, together with what else this connection has in it. Not by ioredis's own pipelining, which sends nothing
 * while the answer to what it sent before is on its way: a reply would wait for that of another. Resolves and rejects as the command does.
 */
export function sentNow(client: RedisClient, name: string, args: (string | number)[]): Promise<unknown> {
  const command = new Command(name, args, { replyEncoding: 'utf8' });
  if (!isCluster(client)) gatherWrites(client);
  void client.sendCommand(command);
  return command.promise;
}
