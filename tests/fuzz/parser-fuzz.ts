import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { parserCase, PARSERS, runParsers, type ParserFailure } from './parser-run.ts';

/**
 * Feeds every parser of the house with made-up bytes, in this process, without a cluster:
 * `node --conditions=@deja/source --experimental-transform-types tests/fuzz/parser-fuzz.ts [minutes] [seed] [only]`.
 * `only` is the name of a target, or `name#n`: that one case. Ends with 1 when something did not hold.
 */
const HANGS_MS = 90_000; // a machine may have other work
const [minutes = '1', givenSeed = '1', only = ''] = process.argv.slice(2);
const seed = Number(givenSeed);
const [name = '', n] = only.split('#');
const targets = only === '' ? PARSERS : PARSERS.filter((target) => target.name === name);

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const told = ({ target, seed: of, n: number, what, bytes }: ParserFailure): void => say(`${target}: ${what}\n  again: parser-fuzz.ts 0 ${of} ${target}#${number}\n  bytes (base64): ${Buffer.from(bytes).toString('base64').slice(0, 4000)}`);

if (targets.length === 0) {
  say(`there is no parser ${name}: ${PARSERS.map((target) => target.name).join(', ')}`);
  process.exit(1);
}
if (!isMainThread) inWorker(workerData as SharedArrayBuffer);
else if (n !== undefined) oneCase(Number(n));
else watched();

/** The cases run in a thread of their own: one that never ends is named, and ended from here. */
function watched(): void {
  const shared = new SharedArrayBuffer(12);
  const at = new Int32Array(shared);
  const worker = new Worker(new URL(import.meta.url), { workerData: shared, argv: process.argv.slice(2) });
  let seen = -1;
  const watch = setInterval(() => {
    const now = Atomics.load(at, 2);
    if (now === seen) {
      say(`${targets[Atomics.load(at, 0)]?.name}: does not end\n  again: parser-fuzz.ts 0 ${seed} ${targets[Atomics.load(at, 0)]?.name}#${Atomics.load(at, 1)}`);
      process.exit(1);
    }
    seen = now;
  }, HANGS_MS);
  worker.on('message', (message: ParserFailure | ReturnType<typeof runParsers>) => {
    if ('target' in message) return told(message);
    const { cases, failures } = message;
    clearInterval(watch);
    for (const [target, count] of Object.entries(cases)) say(`${target}: ${count} cases`);
    say(`seed ${seed}: ${Object.values(cases).reduce((sum, count) => sum + count, 0)} cases, ${failures.length} failures`);
    process.exit(failures.length === 0 ? 0 : 1);
  });
}

function inWorker(shared: SharedArrayBuffer): void {
  const at = new Int32Array(shared);
  const untilMs = performance.now() + Number(minutes) * 60_000;
  const result = runParsers({
    seed,
    targets,
    done: () => performance.now() > untilMs,
    begins: (target, number) => {
      Atomics.store(at, 0, target);
      Atomics.store(at, 1, number);
      Atomics.add(at, 2, 1);
    },
    failed: (failure) => parentPort?.postMessage(failure),
  });
  parentPort?.postMessage(result);
}

function oneCase(number: number): void {
  const failure = targets[0] === undefined ? null : parserCase(targets[0], seed, number);
  if (failure === null) say(`${name}#${number}: all holds`);
  else told(failure);
  process.exit(failure === null ? 0 : 1);
}
