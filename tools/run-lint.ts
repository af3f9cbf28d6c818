// oxlint over every project, then the arrows between the projects.
import { join } from 'node:path';
import { violations } from './import-rules.ts';
import { runNx } from './nx.ts';

const ROOT = join(import.meta.dirname, '..');

const { code } = await runNx({ root: ROOT, args: ['run-many', '-t', 'lint', '--outputStyle=static', ...process.argv.slice(2)], output: 'show' });
const found = violations(ROOT);
for (const { file, line, specifier, reason } of found) console.error(`${file}:${line}: may not import ${JSON.stringify(specifier)}: ${reason}`);
console.error(found.length === 0 ? 'boundaries: every import is allowed' : `boundaries: ${found.length} forbidden ${found.length === 1 ? 'import' : 'imports'}`);
process.exit(code === 0 && found.length === 0 ? 0 : 1);
