import { describe, expect, test } from '@jest/globals';
import type { ProviderKind } from '@deja/contracts';
import fc from 'fast-check';
import { addressOf, idSegment } from './address.ts';

const at = (kind: ProviderKind, baseUrl: string, apiVersion: string | null = null) => ({ kind, baseUrl, apiVersion });
const HOST = 'https://east.openai.azure.com';

describe('addresses', () => {
  test.each([
    [at('openai', 'https://api.openai.com/v1'), 'chat/completions', 'https://api.openai.com/v1/chat/completions'],
    [at('openai', 'https://api.openai.com/v1/'), 'responses', 'https://api.openai.com/v1/responses'],
    [at('openai', 'https://api.cohere.ai/compatibility/v1', '2024-10-21'), 'embeddings', 'https://api.cohere.ai/compatibility/v1/embeddings'],
    [at('openai', 'http://localhost:11434/v1'), 'files/file-1/content', 'http://localhost:11434/v1/files/file-1/content'],
    [at('openai', 'https://proxy.example/v1?team=a'), 'responses', 'https://proxy.example/v1/responses?team=a'],
  ])('%j with %s is %s', (deployment, path, expected) => {
    expect(addressOf(deployment, 'm', path)).toBe(expected);
  });

  test('one deployment asked for again and again, in whatever order, has the addresses that any other of its kind has', () => {
    const deployment = fc.constantFrom(at('openai', 'https://api.openai.com/v1'), at('azure-openai', HOST), at('azure-openai', HOST, '2024-10-21'));
    const asked = fc.record({ model: fc.constantFrom('gpt', 'gpt 4', 'a/b'), path: fc.oneof(fc.constantFrom('chat/completions', 'embeddings', 'files'), fc.nat(300).map((n) => `files/file-${n}`)), query: fc.constantFrom([], [['limit', '2']] as const) });
    fc.assert(
      fc.property(deployment, fc.array(asked, { maxLength: 250 }), (kept, all) => {
        for (const { model, path, query } of all) expect(addressOf(kept, model, path, query)).toBe(addressOf({ ...kept }, model, path, query));
      }),
    );
  });

  test.each(['', '/', '/openai', '/openai/', '/openai/v1', '/openai/v1/', '/v1'])('Azure’s host may end in "%s"', (end) => {
    expect(addressOf(at('azure-openai', HOST + end), 'gpt', 'chat/completions')).toBe(`${HOST}/openai/v1/chat/completions`);
    expect(addressOf(at('azure-openai', HOST + end, '2024-10-21'), 'gpt', 'chat/completions')).toBe(`${HOST}/openai/deployments/gpt/chat/completions?api-version=2024-10-21`);
  });

  test.each([
    [null, 'chat/completions', '/openai/v1/chat/completions'],
    ['v1', 'files', '/openai/v1/files'],
    ['latest', 'responses', '/openai/v1/responses'],
    ['preview', 'responses', '/openai/v1/responses?api-version=preview'],
    ['2024-10-21', 'completions', '/openai/deployments/gpt/completions?api-version=2024-10-21'],
    ['2024-10-21', 'embeddings', '/openai/deployments/gpt/embeddings?api-version=2024-10-21'],
    ['2024-10-21', 'images/generations', '/openai/deployments/gpt/images/generations?api-version=2024-10-21'],
    ['2024-10-21', 'audio/transcriptions', '/openai/deployments/gpt/audio/transcriptions?api-version=2024-10-21'],
    ['2025-04-01-preview', 'responses', '/openai/responses?api-version=2025-04-01-preview'],
    ['2024-10-21', 'files/file-1', '/openai/files/file-1?api-version=2024-10-21'],
    ['2024-10-21', 'batches', '/openai/batches?api-version=2024-10-21'],
  ])('Azure with api-version %s: %s is at %s', (version, path, expected) => {
    expect(addressOf(at('azure-openai', HOST, version), 'gpt', path)).toBe(HOST + expected);
  });

  test('the client’s query goes along, and never chooses the api-version', () => {
    expect(addressOf(at('openai', 'https://api.openai.com/v1'), '', 'files', [['purpose', 'batch&x=1'], ['after', 'file-1']])).toBe('https://api.openai.com/v1/files?purpose=batch%26x%3D1&after=file-1');
    expect(addressOf(at('azure-openai', HOST, '2024-10-21'), '', 'files', [['api-version', 'mine'], ['limit', '2']])).toBe(`${HOST}/openai/files?limit=2&api-version=2024-10-21`);
    expect(addressOf(at('azure-openai', HOST), '', 'files', [['api-version', 'mine']])).toBe(`${HOST}/openai/v1/files`);
  });

  test.each(['..', '.', '%2e%2e', '%2E.', ''])('"%s" is no segment of a path', (segment) => {
    expect(() => addressOf(at('openai', 'https://api.openai.com/v1'), 'm', `files/${segment}/content`)).toThrow(expect.objectContaining({ code: 'invalid_value' }));
  });

  test('a model named ".." is refused where models stand in the path', () => {
    expect(() => addressOf(at('azure-openai', HOST, '2024-10-21'), '..', 'chat/completions')).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'model' }));
  });

  test('whatever a model or an id is made of, the path around it stays', () => {
    const nasty = fc.constantFrom('../../admin', 'a/../..', '?x', '#', '\\..\\..', 'a b', '%2f..', '\ud800', '@evil.example/', ':80');
    const anything = fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), nasty).filter((text) => text !== '.' && text !== '..');
    fc.assert(
      fc.property(anything, anything, (model, id) => {
        const chat = new URL(addressOf(at('azure-openai', HOST, '2024-10-21'), model, 'chat/completions'));
        expect([chat.origin, chat.search, chat.hash]).toEqual([HOST, '?api-version=2024-10-21', '']);
        expect(chat.pathname.split('/').map(decodeURIComponent)).toEqual(['', 'openai', 'deployments', model.toWellFormed(), 'chat', 'completions']);
        const file = new URL(addressOf(at('openai', 'https://api.openai.com/v1'), model, `files/${idSegment(id)}/content`));
        expect([file.origin, file.search, file.hash]).toEqual(['https://api.openai.com', '', '']);
        expect(file.pathname.split('/').map(decodeURIComponent)).toEqual(['', 'v1', 'files', id.toWellFormed(), 'content']);
      }),
    );
  });

  test('an id that was not made safe cannot leave its place either', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (id) => {
        const dots = id.split('/').some((part) => part === '' || ['.', '..'].includes(part.replaceAll(/%2e/gi, '.')));
        fc.pre(!dots); // refused, as above
        const url = new URL(addressOf(at('openai', 'https://api.openai.com/v1'), 'm', `files/${id}`));
        expect(url.origin).toBe('https://api.openai.com');
        expect(url.pathname.startsWith('/v1/files/')).toBe(true);
        expect(url.search + url.hash).toBe('');
      }),
    );
  });
});
