// Writes dot.wasm.ts from dot.wat: `node libs/similarity/src/vectors/compile-dot.ts`, after a change of the source.
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import wabt from 'wabt';

const SOURCE = new URL('dot.wat', import.meta.url);
const COMPILED = new URL('dot.wasm.ts', import.meta.url);

/** The text of dot.wasm.ts as the source has it. Rejects where the source is not WebAssembly. */
export async function compileDot(): Promise<string> {
  const compiler = await wabt();
  const module = compiler.parseWat('dot.wat', await readFile(SOURCE, 'utf8'), { simd: true });
  try {
    const bytes = Buffer.from(module.toBinary({}).buffer).toString('base64');
    return `// Compiled from dot.wat by compile-dot.ts: not to be changed by hand.\nexport const DOT_WASM = '${bytes}';\n`;
  } finally {
    module.destroy();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await writeFile(COMPILED, await compileDot());
