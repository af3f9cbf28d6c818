// The load generator, a process of its own: takes one piece of work at a time and tells how long each request took.
import { Connection } from './connection.ts';
import { bodyOf, type Result, type Work } from './work.ts';

let sent = 0;
const open = new Map<number, Connection[]>();

async function connections(port: number, count: number): Promise<Connection[]> {
  const there: Connection[] = [];
  for (const line of open.get(port) ?? []) {
    if (line.isFresh) there.push(line);
    else line.close();
  }
  open.set(port, there);
  while (there.length < count) there.push(await Connection.open(port));
  return there.slice(0, count);
}

async function perform(work: Work): Promise<Result> {
  const { target, kind, count = Infinity, durationMs = Infinity, expectCache } = work;
  const result: Result = { durationsMs: [], firstByteMs: [], elapsedMs: 0 };
  const lines = await connections(target.port, work.connections);
  const startedMs = performance.now();
  let left = count;
  await Promise.all(
    lines.map(async (line) => {
      while (left-- > 0 && performance.now() - startedMs < durationMs) {
        const reply = await line.send(target.key, bodyOf(kind, `${process.pid}-${sent++}`));
        if (reply.status !== 200 || reply.cache !== expectCache) {
          throw new Error(`a ${kind} request was answered with status ${reply.status} and x-cache ${reply.cache}, not 200 and ${expectCache}`);
        }
        result.durationsMs.push(reply.durationMs);
        result.firstByteMs.push(reply.firstByteMs);
      }
    }),
  );
  result.elapsedMs = performance.now() - startedMs;
  return result;
}

process.on('message', (work: Work) => {
  perform(work).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
