import { parseArgs } from 'node:util';
import { fuzz, fuzzCluster } from './fuzz-session.ts';

/**
 * Sends random requests to a cluster of its own and says what was wrong with the answers:
 * `node --conditions=@deja/source tests/fuzz/request-fuzz.ts --seconds 600 --seed 1`. Ends with 1 when something was.
 */
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' }, runs: { type: 'string' } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const say = (line: string): void => void process.stdout.write(`${line}\n`);

say(`seed ${seed}`);
const session = await fuzzCluster();
const summary = await fuzz(session, { seed, seconds: Number(values.seconds), runs: Number(values.runs ?? Number.MAX_SAFE_INTEGER), report: say });
await session.cluster.stop({ force: true });
await session.provider.close();
say(JSON.stringify({ ...summary, failures: summary.failures.length }, null, 2));
process.exit(summary.failures.length === 0 ? 0 : 1);
