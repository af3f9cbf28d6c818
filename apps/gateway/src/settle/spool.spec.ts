import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { newId, type OpenOperation, type OperationRecord } from '@deja/contracts';
import { readSpool, spoolText } from './spool-lines.ts';
import { Spool, SpoolFull } from './spool.ts';

const dir = mkdtempSync(join(tmpdir(), 'deja-spool-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const open = (id = newId()): OpenOperation => ({
  kind: 'open', id, tenant: 't', key: 'k', user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'm', stream: false, receivedAtMs: 1_764_000_000_000, estimatedPromptTokens: 1, traceId: null,
});
const settled = (id = newId()): OperationRecord => ({ ...open(id), kind: 'settled' }) as unknown as OperationRecord;
const idsIn = (name: string): string[] => readdirSync(join(dir, name)).toSorted().flatMap((file) => readSpool(readFileSync(join(dir, name, file), 'utf8')).entries.map((entry) => (entry as OpenOperation).id));

describe('a spool file', () => {
  test('wherever it is cut off, has every line that was whole, and nothing else', () => {
    const lines = Array.from({ length: 5 }, () => settled());
    const text = spoolText(lines);
    const ends = lines.map((_, i) => spoolText(lines.slice(0, i + 1)).length - 1);
    fc.assert(fc.property(fc.integer({ min: 0, max: text.length }), (at) => {
      const { entries, unreadable } = readSpool(text.slice(0, at));
      expect(entries).toEqual(lines.filter((_, i) => ends[i]! <= at));
      expect(unreadable).toBeLessThanOrEqual(1);
    }));
  });

  test('has of an operation what was settled, also where its opening comes later, and the largest of its counts', () => {
    const record = settled();
    const text = spoolText([{ kind: 'accepted', quarterMs: 0, operations: 2 }, record, open(record.id), { kind: 'accepted', quarterMs: 0, operations: 1 }]);
    expect(readSpool(`${text}null\n5\n{"kind":"settled"}\n`)).toEqual({ entries: [record], accepted: [{ kind: 'accepted', quarterMs: 0, operations: 2 }], unreadable: 3 });
  });
});

test('a spool takes no more than it may have, and again when it was emptied', () => {
  const spool = new Spool(join(dir, 'bound'), 'me', () => 1000);
  const record = settled();
  while (spool.bytes + spoolText([record]).length <= 1000) spool.append([record]);
  expect(() => spool.append([record])).toThrow(SpoolFull);
  for (const file of spool.waiting()) spool.claim(file)?.done();
  expect(spool.bytes).toBe(0);
  spool.append([record]);
  expect([...spool.settledByQuarter().values()]).toEqual([1]);
});

test('files are replayed in the order in which they were written, and are no larger than can be read in a moment', () => {
  const spool = new Spool(join(dir, 'order'), 'host.example', () => 1e9);
  const records = Array.from({ length: 3000 }, () => ({ ...settled(), tags: { text: 'x'.repeat(1000) } }));
  for (const record of records) spool.append([record]);
  const files = spool.waiting();
  expect(files.length).toBeGreaterThan(1);
  expect(new Set(files.map(({ instance }) => instance))).toEqual(new Set(['host.example']));
  const claimed = files.map((file) => spool.claim(file)!);
  expect(claimed.flatMap(({ content }) => content.entries)).toEqual(records);
});

test('what another process has taken for that of a dead one is not written to any more', () => {
  const spool = new Spool(join(dir, 'taken'), 'me', () => 1e9);
  const [first, second] = [settled(), settled()];
  spool.append([first]);
  const other = new Spool(join(dir, 'taken'), 'me', () => 1e9);
  const claimed = other.claim(other.waiting()[0]!)!;
  claimed.done();
  spool.append([second]);
  expect(claimed.content.entries).toEqual([first]);
  expect(idsIn('taken')).toEqual([second.id]);
});

test('a disk that refuses is told of, and what it has taken stays whole', () => {
  writeFileSync(join(dir, 'no-folder'), '');
  expect(() => new Spool(join(dir, 'no-folder'), 'me', () => 1e9).append([settled()])).toThrow('EEXIST');

  // A limit on the size of files cuts a write short as a full disk does.
  const script = `
    import { Spool } from ${JSON.stringify(new URL('./spool.ts', import.meta.url).pathname)};
    const spool = new Spool(${JSON.stringify(join(dir, 'cut'))}, 'me', () => 1e9);
    const record = (id, size) => ({ kind: 'settled', id, receivedAtMs: 0, text: 'x'.repeat(size) });
    spool.append([record('first', 100)]);
    try { spool.append([record('too long', 20000)]); } catch (error) { console.log(error.code); }
    spool.append([record('second', 100)]);`;
  const run = spawnSync('bash', ['-c', `trap '' XFSZ; ulimit -f 8; exec "$0" --conditions=@deja/source --input-type=module -e "$1"`, process.execPath, script], { encoding: 'utf8' });
  expect([run.stderr, run.stdout.trim()]).toEqual(['', 'EFBIG']);
  expect(idsIn('cut')).toEqual(['first', 'second']);
  expect(existsSync(join(dir, 'cut'))).toBe(true);
});
