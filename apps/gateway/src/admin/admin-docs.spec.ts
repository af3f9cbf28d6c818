import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, GROUPS, KEY_ENDPOINTS, PLAN_ENDPOINTS, ROLES, type AdminOperation } from '@deja/admin-api';

// `DEJA_WRITE_DOCS=1` writes the table of all calls into the document in place of comparing; all else in it is written by hand.

const DOCUMENT = join(import.meta.dirname, '../../../../docs/admin.md');
const TABLE = /(?<=<!-- table: operations -->\n)[\s\S]*?(?=<!-- end -->)/;
const OPERATIONS: readonly AdminOperation[] = ADMIN_OPERATIONS;

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
const table = (): string => [['call', 'does', 'least role', "one tenant's"], ['---', '---', '---', '---'], ...OPERATIONS.map(cellsOf)].map(row).join('');
const cellsOf = ({ method, path, summary, role, tenantScoped }: AdminOperation): string[] => [`\`${method} ${path}\``, summary, `\`${role}\``, tenantScoped ? 'yes' : 'no'];

if (process.env['DEJA_WRITE_DOCS'] === '1') writeFileSync(DOCUMENT, readFileSync(DOCUMENT, 'utf8').replace(TABLE, table));
const text = readFileSync(DOCUMENT, 'utf8');
const byHand = text.replace(TABLE, '');

test('docs/admin.md has every call in one table, with who may make it', () => {
  expect(TABLE.exec(text)?.[0].split('\n')).toEqual(table().split('\n'));
});

test.each(OPERATIONS.map(({ method, path }) => `${method} ${path}`))('docs/admin.md says of %s what it takes and gives', (call) => {
  expect(byHand).toContain(`\`${call}`);
});

test.each(OPERATIONS.flatMap(({ id, query }) => Object.keys(query?.shape ?? {}).map((name) => [name, id])))('docs/admin.md names the query parameter %s of %s', (name) => {
  expect(byHand).toMatch(new RegExp(`[\`?&]${name}[\`&]`));
});

test.each([...ROLES, ...KEY_ENDPOINTS, ...PLAN_ENDPOINTS, ...GROUPS].map((word) => [word]))('docs/admin.md names %s', (word) => {
  expect(byHand).toContain(`\`${word}\``);
});
