// Says which imports break the rules: apps import libs only, libs form no circle, tests import anything. `node tools/boundaries.ts [root]`
import { join, resolve } from 'node:path';
import { violations } from './import-rules.ts';

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const found = violations(root);
for (const { file, line, specifier, reason } of found) console.error(`${file}:${line}: may not import ${JSON.stringify(specifier)}: ${reason}`);
if (found.length > 0) console.error(`${found.length} forbidden ${found.length === 1 ? 'import' : 'imports'}`);
process.exitCode = found.length === 0 ? 0 : 1;
