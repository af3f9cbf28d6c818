import { readFile } from 'node:fs/promises';
import { compileDot } from './compile-dot.ts';

test('the compiled search is what its source compiles to', async () => {
  expect(await readFile(new URL('dot.wasm.ts', import.meta.url), 'utf8')).toBe(await compileDot());
});
