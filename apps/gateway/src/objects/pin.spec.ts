import { describe, expect, test } from '@jest/globals';
import type { StoredObject } from '@deja/contracts';
import { pinOf } from './pin.ts';

const stored = (id: string, credential: string): StoredObject => ({ tenant: 't', kind: 'file', id, provider: 'p', deployment: 'p/*', credential, createdAtMs: 0 });
const known = [stored('file-1', 'p/a'), stored('file-2', 'p/a'), stored('file-3', 'p/b')];
const items = [{ ...stored('msg_1', 'p/a'), kind: 'item' as const }, { ...stored('audio_1', 'p/b'), kind: 'audio' as const }];
const objects = {
  findAll: async (tenant: string, ids: readonly string[]) => new Map(known.filter((object) => object.tenant === tenant && ids.includes(object.id)).map((object) => [object.id, object])),
  findParts: async (tenant: string, ids: readonly string[]) => new Map(items.filter((part) => part.tenant === tenant && ids.includes(part.id)).map((part) => [part.id, part])),
};

describe('where a request must go because of what it refers to', () => {
  test('nowhere in particular when it refers to nothing', async () => expect(await pinOf(objects, 't', { model: 'm', messages: [] })).toBeNull());

  test('to the account that has it', async () => {
    expect(await pinOf(objects, 't', { input: [{ content: [{ type: 'input_file', file_id: 'file-1' }, { type: 'input_file', file_id: 'file-2' }] }] })).toEqual({ provider: 'p', deployment: 'p/*', credential: 'p/a' });
  });

  test('what is another tenant’s does not exist, and the place in the body is named', async () => {
    await expect(pinOf(objects, 'other', { input_file_id: 'file-1' })).rejects.toMatchObject({ code: 'invalid_value', param: 'input_file_id' });
  });

  test('to the account that has the items or the spoken answer it repeats, which nobody else can name', async () => {
    expect(await pinOf(objects, 't', { input: [{ type: 'item_reference', id: 'msg_1' }, { content: [{ type: 'input_file', file_id: 'file-1' }] }] })).toMatchObject({ credential: 'p/a' });
    expect(await pinOf(objects, 't', { messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] })).toMatchObject({ credential: 'p/b' });
    await expect(pinOf(objects, 'other', { input: ['Hi', { id: 'msg_1' }] })).rejects.toMatchObject({ code: 'invalid_value', param: 'input[1].id' });
    await expect(pinOf(objects, 'other', { messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] })).rejects.toMatchObject({ code: 'invalid_value', param: 'messages[0].audio.id' });
  });

  test('objects of two accounts cannot meet in one request', async () => {
    const input = [{ content: [{ type: 'input_file', file_id: 'file-1' }, { type: 'input_file', file_id: 'file-3' }] }];
    await expect(pinOf(objects, 't', { input })).rejects.toMatchObject({ code: 'invalid_value', param: 'input[0].content[1].file_id' });
  });
});
