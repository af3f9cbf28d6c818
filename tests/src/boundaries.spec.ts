import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';

const TOOL = fileURLToPath(new URL('../../tools/boundaries.ts', import.meta.url));

const made: string[] = [];
afterEach(() => Promise.all(made.splice(0).map((root) => rm(root, { recursive: true, force: true }))));

/** A repository of these files; every app and lib in it gets its package.json. */
async function repository(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'deja-boundaries-'));
  made.push(root);
  const projects = new Set(Object.keys(files).map((file) => file.split('/').slice(0, file.startsWith('apps/') || file.startsWith('libs/') ? 2 : 1).join('/')));
  const packages = Object.fromEntries([...projects].map((folder) => [`${folder}/package.json`, JSON.stringify({ name: `@deja/${folder.split('/').at(-1)}` })]));
  for (const [file, text] of Object.entries({ ...packages, ...files })) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
  }
  return root;
}

function check(root: string): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--disable-warning=ExperimentalWarning', TOOL, root], (error, stdout, stderr) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, text: stdout + stderr }));
  });
}

test('apps and tests import libs, libs import libs, and that is fine', async () => {
  const root = await repository({
    'libs/contracts/src/index.ts': 'export const a = 1;',
    'libs/redis/src/index.ts': "import { a } from '@deja/contracts';\nexport const b = a;",
    'apps/gateway/src/main.ts': "import '@deja/redis';\nimport { own } from './own.ts';\nown();",
    'apps/gateway/src/own.ts': "// import '@deja/router'\nexport const own = () => `import '@deja/router'`;",
    'apps/router/src/main.ts': "import '@deja/contracts';",
    'tests/src/cluster.spec.ts': "import '../../apps/router/src/main.ts';\nimport '@deja/redis';",
  });
  expect(await check(root)).toEqual({ code: 0, text: '' });
});

test.each([
  ['an app that imports another app', 'apps/gateway/src/main.ts', "\nimport { x } from '@deja/router';", 'apps/gateway/src/main.ts:2: may not import "@deja/router": apps meet on the bus only'],
  ['an app that reaches into another by path', 'apps/gateway/src/main.ts', "import type { X } from '../../router/src/main.ts';", 'apps/gateway/src/main.ts:1: may not import "../../router/src/main.ts": apps meet on the bus only'],
  ['an app that loads another on demand', 'apps/gateway/src/main.ts', "export const later = () => import('@deja/router');", 'apps/gateway/src/main.ts:1: may not import "@deja/router"'],
  ['a lib that imports an app', 'libs/redis/src/index.ts', "export * from '@deja/router';", 'libs/redis/src/index.ts:1: may not import "@deja/router": libs know nothing of apps'],
  ['a lib that is reached into by path', 'apps/gateway/src/main.ts', "import '../../../libs/contracts/src/index.ts';", 'a lib is imported by its name, @deja/contracts'],
  ['an app that imports the tests', 'apps/gateway/src/main.ts', "import '@deja/tests';", 'tests is for developers'],
])('%s is caught, with place and reason', async (_what, file, text, complaint) => {
  const root = await repository({ 'apps/router/src/main.ts': '', 'libs/contracts/src/index.ts': '', 'tests/src/a.spec.ts': '', [file]: text });
  const { code, text: said } = await check(root);
  expect(said).toContain(complaint);
  expect(code).toBe(1);
});

test('a circle of libs is caught at each of its imports, with the whole way round', async () => {
  const root = await repository({
    'libs/a/src/index.ts': "import '@deja/b';",
    'libs/b/src/index.ts': "import '@deja/c';",
    'libs/c/src/index.ts': "import '@deja/a';",
  });
  const { code, text } = await check(root);
  expect(text).toContain('libs/a/src/index.ts:1: may not import "@deja/b": libs form no circle, but this one does: libs/a → libs/b → libs/c → libs/a');
  expect(text).toContain('3 forbidden imports');
  expect(code).toBe(1);
});

test('this repository keeps its own rules', async () => {
  expect(await check(fileURLToPath(new URL('../..', import.meta.url)))).toEqual({ code: 0, text: '' });
});
