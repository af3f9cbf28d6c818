// `npm run audit`: known holes in what runs in production. Ends with 1 for one that is serious and not in tools/audit-allowed.json.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { verdictOf, type Allowed } from './audit.ts';

const ROOT = join(import.meta.dirname, '..');
const LIMIT_MS = 60_000;

/** npm ends with 1 when it found something, too: what counts is what it printed. */
const output = await new Promise<string>((resolve) => {
  execFile('npm', ['audit', '--omit=dev', '--json'], { cwd: ROOT, timeout: LIMIT_MS, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout) => resolve(stdout));
});
const allow = JSON.parse(readFileSync(join(import.meta.dirname, 'audit-allowed.json'), 'utf8')) as Allowed[];
const verdict = verdictOf(output, allow, new Date().toISOString().slice(0, 10));

if (verdict.kind === 'not made') {
  console.log(`audit: not made (${verdict.why})`);
  process.exit(0);
}
for (const { id, package: name, severity, title } of verdict.found) console.error(`audit: ${name}: ${severity}: ${title} (${id})`);
for (const { id, reason, until } of verdict.expired) console.log(`audit: ${id} was let pass until ${until} (${reason}): decide again, or take it out of tools/audit-allowed.json`);
console.log(`audit: ${verdict.found.length} serious advisories, ${verdict.allowed.length} let pass`);
process.exit(verdict.found.length === 0 ? 0 : 1);
