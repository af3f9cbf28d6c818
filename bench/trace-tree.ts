// The trace of one request, as a tree: `node --conditions=@deja/source bench/trace-tree.ts`. A cluster of its own with two fake providers; a streamed
// request of a key that no gateway knows, which the semantic cache has no answer to, which the first provider fails and the second answers. The figures
// are of one request on a cluster that has just started: what is where, not how fast it is. `--built` spares the look whether the apps are built.
import { fileURLToPath } from 'node:url';
import { TracedRequest, treeOf } from '../tests/src/traced-request.ts';
import type { CollectedSpan } from '../tests/src/trace-collector.ts';
import { buildIfChanged } from '../tools/build.ts';

/** One line of the tree: when it began after the first of them, and how long it took. */
const line = (span: CollectedSpan, depth: number, fromMs: number): string => {
  const name = `${'  '.repeat(depth)}${span.name}`.padEnd(38);
  const figures = `${(span.startMs - fromMs).toFixed(1).padStart(7)} ${(span.endMs - span.startMs).toFixed(1).padStart(7)}`;
  return `${name} ${span.service.replace('deja-', '').padEnd(14)} ${span.kind.padEnd(8)} ${figures}  ${span.status === 'error' ? 'error' : ''}`.trimEnd();
};

/** Everything that is on a span. */
function details(span: CollectedSpan, fromMs: number): string {
  const attributes = Object.entries(span.attributes).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `  ${key.padEnd(36)} ${JSON.stringify(value)}`);
  const events = span.events.map(({ name, atMs }) => `  event ${name.padEnd(30)} ${(atMs - fromMs).toFixed(1)} ms`);
  return [`${span.service} ${span.name}`, ...attributes, ...events].join('\n');
}

if (!process.argv.includes('--built')) await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)) });
const traced = await TracedRequest.start();
try {
  await traced.make();
  const { spans, linked } = await traced.spans();
  const fromMs = Math.min(...spans.map(({ startMs }) => startMs));
  console.log(`${'span'.padEnd(38)} ${'service'.padEnd(14)} ${'kind'.padEnd(8)} ${'from ms'.padStart(7)} ${'took ms'.padStart(7)}`);
  for (const { span, depth } of treeOf(spans)) console.log(line(span, depth, fromMs));
  console.log('\nlinks to it from');
  for (const span of linked) console.log(line(span, 0, fromMs));
  console.log('');
  const told = [...treeOf(spans).map(({ span }) => span).filter(({ name, kind }) => name.startsWith('POST ') || name.startsWith('chat ') || (name === 'semantic-cache.lookup' && kind === 'server')), ...linked];
  for (const span of told) console.log(`${details(span, fromMs)}\n`);
} finally {
  await traced.stop();
}
