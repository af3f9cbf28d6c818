import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { responsesParams } from '../responses/response-to-chat.ts';
import { anthropic } from './anthropic/anthropic.ts';
import { gemini } from './gemini/gemini.ts';
import { COMPATIBLE_SERVERS, type CompatibleServer } from './openai/compatible-servers.ts';
import type { ParamTable } from './params.ts';

/**
 * The tables of docs/parameters.md, made from the tables that the gateway works with. `DEJA_WRITE_DOCS=1` writes them into the document in place of
 * comparing; what stands between them is written by hand.
 */
const TABLES: Readonly<Record<string, () => string>> = {
  anthropic: () => paramRows(anthropic.params),
  gemini: () => paramRows(gemini(null).params),
  responses: () => paramRows(responsesParams),
  servers: () => table(['server', 'known by the host', 'endpoints', 'besides', 'source'], COMPATIBLE_SERVERS.map(serverRow)),
  'server-parameters': () => table(['server', 'endpoint', 'parameter', 'fate', 'note'], COMPATIBLE_SERVERS.flatMap(serverParamRows)),
};

const DOCUMENT = join(import.meta.dirname, '../../../../docs/parameters.md');
const SECTION = /<!-- table: ([\w-]+) -->\n([\s\S]*?)<!-- end -->/g;

const table = (columns: readonly string[], rows: readonly (readonly string[])[]): string =>
  [columns, columns.map(() => '---'), ...rows].map((cells) => `|${cells.map((cell) => ` ${cell.replaceAll('|', '\\|')} `).join('|')}|\n`).join('');

const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(' ');

const paramRows = (params: ParamTable): string => table(['parameter', 'fate', 'note'], Object.entries(params).map(([name, { fate, note }]) => [code([name]), fate, note]));

function serverRow(server: CompatibleServer): string[] {
  const besides = [
    server.developerRole ? '' : '`developer` is sent as `system`',
    server.usageInStreams === 'ask' ? '' : '`stream_options` is left out, usage comes by itself',
    server.reasoningTokensApart ? 'reasoning tokens are added to `completion_tokens` for the bill' : '',
  ];
  return [code([server.name]), code(server.hosts), code(server.endpoints), besides.filter((text) => text !== '').join('; '), server.source];
}

const serverParamRows = (server: CompatibleServer): string[][] =>
  Object.entries(server.params).flatMap(([endpoint, params]) => Object.entries(params).map(([name, { fate, note }]) => [code([server.name]), code([endpoint]), code([name]), fate, note]));

/** The tables as they stand in the document, by name. */
const sections = (text: string): [name: string, rows: string][] => [...text.matchAll(SECTION)].map(([, name = '', rows = '']) => [name, rows]);

/** The document with every table as the code has it; a section of no known name stays. */
const renewed = (text: string): string => text.replaceAll(SECTION, (section, name: string) => (Object.hasOwn(TABLES, name) ? `<!-- table: ${name} -->\n${TABLES[name]?.() ?? ''}<!-- end -->` : section));

if (process.env['DEJA_WRITE_DOCS'] === '1') writeFileSync(DOCUMENT, renewed(readFileSync(DOCUMENT, 'utf8')));

describe('docs/parameters.md', () => {
  const written = sections(readFileSync(DOCUMENT, 'utf8'));

  test('has each table once, and no other', () => {
    expect(written.map(([name]) => name).toSorted()).toEqual(Object.keys(TABLES).toSorted());
  });

  test.each(Object.keys(TABLES))('says of every parameter what the code does with it: %s', (name) => {
    expect(Object.fromEntries(written)[name]?.split('\n')).toEqual(TABLES[name]?.().split('\n'));
  });
});

test('a cell keeps its text together, whatever stands in it', () => {
  expect(table(['a'], [['x | y']])).toBe('| a |\n| --- |\n| x \\| y |\n');
});

test('a document whose table is out of date is renewed, and nothing else of it changes', () => {
  const old = 'before\n<!-- table: anthropic -->\n| old |\n<!-- end -->\nbetween\n<!-- table: unknown -->\nkept\n<!-- end -->\n';
  const now = renewed(old);
  expect(sections(now)).toEqual([['anthropic', TABLES['anthropic']!()], ['unknown', 'kept\n']]);
  expect(now.replaceAll(SECTION, '')).toBe(old.replaceAll(SECTION, ''));
  expect(renewed(now)).toBe(now);
});
