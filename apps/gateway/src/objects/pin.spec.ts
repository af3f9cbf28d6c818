import { describe, expect, test } from '@jest/globals';
import type { StoredObject } from '@deja/contracts';
import { pinOf } from './pin.ts';

const stored = (id: string, credential: string): StoredObject => ({ tenant: 't', kind: 'file', id, provider: 'p', deployment: 'p/*', credential, createdAtMs: 0 });
const known = [stored('file-1', 'p/a'), stored('file-2', 'p/a'), stored('file-3', 'p/b')];
const objects = { findAll: async (tenant: string, ids: readonly string[]) => new Map(known.filter((object) => object.tenant === tenant && ids.includes(object.id)).map((object) => [object.id, object])) };

describe('where a request must go because of what it refers to', () => {
  test('nowhere in particular when it refers to nothing', async () => expect(await pinOf(objects, 't', { model: 'm', messages: [] })).toBeNull());

  test('to the account that has it', async () => {
    expect(await pinOf(objects, 't', { input: [{ content: [{ type: 'input_file', file_id: 'file-1' }, { type: 'input_file', file_id: 'file-2' }] }] })).toEqual({ provider: 'p', deployment: 'p/*', credential: 'p/a' });
  });

  test('what is another tenant’s does not exist, and the place in the body is named', async () => {
    await expect(pinOf(objects, 'other', { input_file_id: 'file-1' })).rejects.toMatchObject({ code: 'invalid_value', param: 'input_file_id' });
  });

  test('objects of two accounts cannot meet in one request', async () => {
    const input = [{ content: [{ type: 'input_file', file_id: 'file-1' }, { type: 'input_file', file_id: 'file-3' }] }];
    await expect(pinOf(objects, 't', { input })).rejects.toMatchObject({ code: 'invalid_value', param: 'input[0].content[1].file_id' });
  });
});
