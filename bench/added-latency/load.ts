// The load generator, a process of its own: takes one piece of work at a time and tells how long each request took.
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { bodyOf, type Kind, type Result, type Target, type Work } from './work.ts';
import { serveWork } from './serve-work.ts';

/** With requests by the clock: as many connections at most; what is due meanwhile waits, and its waiting counts. */
const MOST_CONNECTIONS = 512;
const FEW = 20;
const MOST_UNEXPECTED = 3;
const MOST_UNEXPECTED_SHARE = 0.05;

let sent = 0;
const sentOf = new Map<Kind, number>();
const linesTo = new Map<string, Connection[]>();

function nextBody(kind: Kind): string {
  const n = sentOf.get(kind) ?? 0;
  sentOf.set(kind, n + 1);
  return bodyOf(kind, `${process.pid}-${sent++}`, n);
}

/** Those that are open towards this target, at least so many. */
async function connections(target: Target, count: number): Promise<Connection[]> {
  const name = JSON.stringify(target);
  const there: Connection[] = [];
  for (const line of linesTo.get(name) ?? []) {
    if (line.isFresh) there.push(line);
    else line.close();
  }
  linesTo.set(name, there);
  while (there.length < count) there.push(await Connection.open(target));
  return there;
}

/** Sends one request. What was due earlier, `dueMs`, counts from then on. */
async function ask(line: Connection, { kind, expectCache }: Work, result: Result, dueMs?: number): Promise<void> {
  const waitedMs = dueMs === undefined ? 0 : performance.now() - dueMs;
  const reply = await line.send(nextBody(kind));
  if (reply.reason !== null) count(result.reasons, reply.reason);
  if (reply.status !== 200) throw new Error(`a ${kind} request was answered with status ${reply.status}`);
  // A semantic cache that checks itself asks the provider now and then although it has an answer: such a request is none of those that are measured.
  if (expectCache === 'HIT-SEMANTIC' && reply.reason === 'audit') return;
  // Whatever else it was, the client waited for it: left out, it would make the cache look better than it is.
  if (expectCache !== undefined && reply.cache !== expectCache) count(result.unexpected, `${reply.cache} ${reply.reason ?? ''}`.trim());
  result.durationsMs.push(waitedMs + reply.durationMs);
  result.firstByteMs.push(waitedMs + reply.firstByteMs);
  result.longestGapMs.push(reply.longestGapMs);
}

/** Each connection sends its next request when it has the answer to the one before. */
async function closedLoop(work: Work, result: Result): Promise<void> {
  const { count: most = Infinity, durationMs = Infinity } = work;
  const lines = await connections(work.target, work.connections);
  const startedMs = performance.now();
  let left = most;
  await Promise.all(
    lines.slice(0, work.connections).map(async (line) => {
      while (left-- > 0 && performance.now() - startedMs < durationMs) await ask(line, work, result);
    }),
  );
  result.elapsedMs = performance.now() - startedMs;
}

/** Requests begin by the clock. Were each sent only when another is answered, slow answers would keep the load away from what is slow, and hide it. */
async function openLoop(work: Work, perSecond: number, result: Result): Promise<void> {
  const lines = await connections(work.target, work.connections);
  const free = [...lines];
  const all = Math.round((perSecond * (work.durationMs ?? 0)) / 1000);
  const startedMs = performance.now();
  const dueMs = (n: number): number => startedMs + (n * 1000) / perSecond;
  const running: Promise<void>[] = [];
  let [begun, opened, failed] = [0, lines.length, false];
  const open = async (): Promise<Connection> => {
    opened++;
    const line = await Connection.open(work.target);
    lines.push(line);
    return line;
  };
  const answered = async (due: number): Promise<void> => {
    const line = free.pop() ?? (await open());
    await ask(line, work, result, due);
    free.push(line);
    sendDue();
  };
  const sendDue = (): void => {
    while (begun < all && dueMs(begun) <= performance.now() && (free.length > 0 || opened < MOST_CONNECTIONS)) {
      const one = answered(dueMs(begun++));
      one.catch(() => (failed = true));
      running.push(one);
    }
  };
  while (begun < all && !failed) {
    sendDue();
    await delay(Math.max(1, dueMs(begun) - performance.now()));
  }
  await Promise.all(running);
  result.elapsedMs = performance.now() - startedMs;
}

const count = (counts: Record<string, number>, what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);

/** A busy machine lets a look-up come too late now and then; more than that is another case than the one that was to be measured. */
function check({ kind, expectCache }: Work, { durationsMs, unexpected }: Result): void {
  const others = Object.values(unexpected).reduce((sum, one) => sum + one, 0);
  const few = durationsMs.length < FEW ? 0 : Math.max(MOST_UNEXPECTED, MOST_UNEXPECTED_SHARE * durationsMs.length);
  if (others > few) throw new Error(`of ${durationsMs.length} ${kind} requests, ${others} were not answered with x-cache ${expectCache}: ${JSON.stringify(unexpected)}`);
}

async function perform(work: Work): Promise<Result> {
  const result: Result = { durationsMs: [], firstByteMs: [], longestGapMs: [], elapsedMs: 0, reasons: {}, unexpected: {} };
  if (work.perSecond === undefined) await closedLoop(work, result);
  else await openLoop(work, work.perSecond, result);
  check(work, result);
  return result;
}

serveWork(perform);
