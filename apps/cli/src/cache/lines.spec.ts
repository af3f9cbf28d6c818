import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fileLines, linesOf, type Line } from './lines.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deja-lines-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function all(lines: AsyncIterable<Line>): Promise<Line[]> {
  const list: Line[] = [];
  for await (const line of lines) list.push(line);
  return list;
}
const read = (file: string): Promise<Line[]> => all(fileLines(join(folder, file), Readable.from([])));

test('wherever chunks end, lines and their numbers are the same', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '漢', '\n', ' ', '\r') })), async (texts) => {
    const whole = Buffer.from(texts.join(''));
    const expected = whole.toString().split('\n').map((text, n) => ({ number: n + 1, text })).filter(({ text }) => text.trim() !== '');
    const bytes = [...whole].map((byte) => Buffer.from([byte]));
    expect(await all(linesOf(Readable.from([whole])))).toEqual(expected);
    expect(await all(linesOf(Readable.from(bytes)))).toEqual(expected);
  }));
});

test('a line that is too long to be held is told by its number, and the next one is read', async () => {
  expect(await all(linesOf(Readable.from([Buffer.from('12345\n123456\n\n12')]), 5))).toEqual([{ number: 1, text: '12345' }, { number: 2, text: null }, { number: 4, text: '12' }]);
});

test('a packed file, a byte order mark and standard input are read like any other', async () => {
  await writeFile(join(folder, 'lines.jsonl.gz'), gzipSync('one\ntwo'));
  await writeFile(join(folder, 'marked.jsonl'), '\uFEFFone\n');
  expect(await read('lines.jsonl.gz')).toEqual([{ number: 1, text: 'one' }, { number: 2, text: 'two' }]);
  expect(await read('marked.jsonl')).toEqual([{ number: 1, text: 'one' }]);
  expect(await all(fileLines('-', Readable.from([Buffer.from('piped')])))).toEqual([{ number: 1, text: 'piped' }]);
});

test('a file that is not there, or is not packed as its name says, is told with its reason', async () => {
  await writeFile(join(folder, 'broken.gz'), 'not packed');
  await expect(read('nothing.jsonl')).rejects.toThrow('nothing.jsonl cannot be read (ENOENT).');
  await expect(read('broken.gz')).rejects.toThrow('broken.gz cannot be read (Z_DATA_ERROR).');
});
