/**
 * How fast prompts are bounded, estimated and counted, and how long the event loop waits for it at most:
 * `node --conditions=@deja/source libs/tokens/bench/throughput.ts [files…]`. Without files it reads this repository's documentation.
 */
import { globSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { countTokens, estimate, isWithin, upperBound, type Encoding, type PromptParts } from '../src/index.ts';

const files = process.argv.length > 2 ? process.argv.slice(2) : globSync(new URL('../../../docs/*.md', import.meta.url).pathname);
const prose = files.map((file) => readFileSync(file, 'utf8')).join('\n');
const megabyte = (text: string): string => text.repeat(Math.ceil(1e6 / text.length)).slice(0, 1e6);
const texts: Record<string, string> = {
  'documentation': megabyte(prose),
  'one letter': megabyte('a'),
  'base64': Buffer.from(Array.from({ length: 750_000 }, (_, index) => (index * index * 31 + index * 7) % 251)).toString('base64'),
  'spaces': megabyte(' '),
  'emoji': megabyte('😀👩‍👩‍👧'),
  'ideographs': megabyte('漢字仮名交文'),
  'rare scripts': megabyte('𒀀𒁀𓀀𐎀'),
  'combining marks': megabyte('Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍'),
};
const parts = (text: string): PromptParts => ({ texts: [text], messages: 1, images: [], tools: 0 });

/** Milliseconds of the work, and the longest the event loop stood still meanwhile. */
async function timed<T>(work: () => T | Promise<T>): Promise<{ result: T; ms: number; stallMs: number }> {
  let stallMs = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    stallMs = Math.max(stallMs, now - last - 1);
    last = now;
  }, 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  stallMs = 0;
  const start = performance.now();
  const result = await work();
  const ms = performance.now() - start;
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(watch);
  return { result, ms, stallMs };
}

for (const encoding of ['o200k_base', 'cl100k_base'] satisfies Encoding[]) {
  const load = await timed(() => countTokens(parts('x'), encoding));
  console.log(`${encoding}: loaded in ${load.ms.toFixed(0)} ms, longest stall ${load.stallMs.toFixed(0)} ms, heap ${(process.memoryUsage().heapUsed / 1e6).toFixed(0)} MB`);
  for (const [name, text] of Object.entries(texts)) {
    const bytes = Buffer.byteLength(text);
    const { result, ms, stallMs } = await timed(() => countTokens(parts(text), encoding));
    const within = await timed(() => isWithin(parts(text), 128_000, encoding));
    console.log(
      `  ${name}: ${result} tokens, estimated ${estimate(parts(text))}, ${(bytes / 1e3 / ms).toFixed(1)} MB/s, longest stall ${stallMs.toFixed(1)} ms; within 128,000: ${within.result.within} (${within.result.tokens}) in ${within.ms.toFixed(0)} ms`,
    );
  }
}
const doc = parts(texts['documentation'] ?? '');
const times = 1000;
for (const [name, quick] of Object.entries({ upperBound, estimate })) {
  const { ms } = await timed(() => { for (let time = 0; time < times; time++) quick(doc); });
  console.log(`${name} of 1 MB: ${((ms * 1e3) / times).toFixed(0)} µs`);
}
