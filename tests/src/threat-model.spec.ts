import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..', '..');
const HEADER = '| threat | what holds | test | what remains |';
const TEST = /`([^`]+)` › ([^;]+)/g;

const cells = (line: string): string[] => line.split('|').slice(1, -1).map((cell) => cell.trim());

/** The rows of all tables of threats. */
function threats(): { threat: string; holds: string; tests: string }[] {
  const lines = readFileSync(join(ROOT, 'docs', 'security.md'), 'utf8').split('\n');
  return lines.flatMap((line, i) => {
    if (line !== HEADER) return [];
    const table = lines.slice(i + 2);
    return table.slice(0, table.findIndex((row) => !row.startsWith('|'))).map((row) => {
      const [threat = '', holds = '', tests = ''] = cells(row);
      return { threat, holds, tests };
    });
  });
}

describe('the threat model', () => {
  test('has a test for every threat, and says what holds', () => {
    const rows = threats();
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter(({ tests, holds }) => holds === '' || [...tests.matchAll(TEST)].length === 0).map(({ threat }) => threat)).toEqual([]);
  });

  test.each(threats().flatMap(({ threat, tests }) => [...tests.matchAll(TEST)].map(([, file = '', title = '']) => [threat, file, title.trim()] as const)))('%s: %s has %j', (_threat, file, title) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    // As it stands in the source: titles of test.each keep their placeholders there.
    expect(readFileSync(join(ROOT, file), 'utf8').includes(title)).toBe(true);
  });
});
