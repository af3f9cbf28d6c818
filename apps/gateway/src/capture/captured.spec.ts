import { describe, expect, test } from '@jest/globals';
import { safetyRules, safetySchema } from '@deja/content-safety';
import type { CaptureMode } from '@deja/contracts';
import { parseJsonBody } from '../validate/json-body.ts';
import { Captured, capturedFor } from './captured.ts';
import { requestText, responseText, searchTextOf, type ClearText } from './captured-text.ts';

const settings = ({ capture = 'full', search = false, safety = {} }: { capture?: CaptureMode; search?: boolean; safety?: object } = {}): Captured['settings'] => ({
  capture, request_log: { retention_days: 7, search }, content_safety: safetyRules(safetySchema.parse(safety)).rules,
});
const said = (text: ClearText | null): unknown => (text === null ? null : (JSON.parse(text.bytes.toString()) as unknown));
const ASKED = { model: 'm', messages: [{ role: 'user', content: 'What is it?' }] };
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const body = (value: object) => parseJsonBody(bytes(value));
const ERROR = { error: { message: 'The provider failed.', type: 'api_error', param: null, code: 'upstream_error' } };

describe('what is captured of a request', () => {
  test('is what key, tenant or everyone’s settings say', () => {
    expect(capturedFor({}, settings({ capture: 'none' }))).toBeNull();
    expect(capturedFor({ capture: 'none' }, settings())).toBeNull();
    expect(capturedFor({ capture: 'metadata' }, settings({ capture: 'none' }))?.modeFor({ capture: 'metadata' })).toBe('metadata');
    expect(capturedFor({}, settings())?.modeFor({ capture: 'none' })).toBe('none'); // it was changed while the request ran
  });

  test('is its shape alone as long as no content rule has seen it, also where all is captured', () => {
    const captured = new Captured(settings({ search: true }));
    captured.came(bytes(ASKED));
    expect(said(requestText(captured, 'full'))).toEqual({ model: 'm', messages: [{ role: 'user', content: { chars: 11 } }] });
    captured.came(Buffer.from('{"messages": "it is a sec'));
    expect(said(requestText(captured, 'full'))).toEqual({ chars: 25 });
    expect(searchTextOf(captured, 'full')).toBeNull();
  });

  test('is the text that goes on, byte for byte, and its shape where that is all that is wanted', () => {
    const captured = new Captured(settings());
    const text = '{"model": "m", "messages":[{"role":"user","content":"[redacted:email]"}], "seed": 12345678901234567890}';
    captured.came(bytes(ASKED));
    captured.asked(parseJsonBody(Buffer.from(text)), ['messages']);
    expect(requestText(captured, 'full')?.bytes.toString()).toBe(text);
    expect(said(requestText(captured, 'metadata'))).toMatchObject({ messages: [{ role: 'user', content: { chars: 16 } }] });
  });

  test('is its shape alone where content rules take something out of prompts and pass over this endpoint', () => {
    for (const [safety, isWhole] of [[{}, true], [{ secrets: 'flag' }, true], [{ secrets: 'redact' }, false], [{ pii: 'block' }, false], [{ deny: ['x'] }, false]] as [object, boolean][]) {
      const captured = new Captured(settings({ safety }));
      captured.asked(body({ input: 'a text' }), []);
      expect(said(requestText(captured, 'full'))).toEqual({ input: isWhole ? 'a text' : { chars: 6 } });
    }
  });

  test('can be searched where that is switched on: what people wrote, and no more than 32 KiB of it', () => {
    const long = 'é'.repeat(20_000);
    const captured = new Captured(settings({ search: true }));
    captured.asked(body({ messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: [{ type: 'text', text: long }] }] }), ['messages']);
    expect(searchTextOf(captured, 'full')).toBe(`Be brief.\n${long.slice(0, (32 * 1024 - 10) / 2)}`);
    expect(searchTextOf(captured, 'metadata')).toBeNull();
    const unsearched = new Captured(settings());
    unsearched.asked(body(ASKED), ['messages']);
    expect(searchTextOf(unsearched, 'full')).toBeNull();
  });

  test('says of a form what it was, and holds nothing of it', () => {
    const captured = new Captured(settings());
    captured.sentForm('multipart/form-data; boundary=x');
    for (const mode of ['full', 'metadata'] as const) expect(said(requestText(captured, mode))).toEqual({ left_out: true, content_type: 'multipart/form-data' });
  });
});

describe('what is captured of an answer', () => {
  const answer = { object: 'chat.completion', choices: [{ message: { role: 'assistant', content: 'Half' }, finish_reason: null }] };

  test('is what the client got: an answer, an error, or half an answer and the error that ended it', () => {
    const captured = new Captured(settings());
    expect(responseText(captured, 'full')).toBeNull();
    captured.failed(ERROR);
    expect(said(responseText(captured, 'full'))).toEqual(ERROR);
    expect(said(responseText(captured, 'metadata'))).toEqual({ error: { message: { chars: 20 }, type: 'api_error', param: null, code: 'upstream_error' } });
    captured.streamed(() => ({ body: bytes(answer) }));
    expect(said(responseText(captured, 'full'))).toEqual({ ...answer, ...ERROR });
    captured.error = null;
    expect(said(responseText(captured, 'full'))).toEqual(answer);
  });

  test('is its shape alone where the client was not to get it, and the error', () => {
    const captured = new Captured(settings());
    captured.streamed(() => ({ body: bytes(answer) }), { shapeOnly: true });
    captured.failed(ERROR);
    expect(said(responseText(captured, 'full'))).toEqual({ object: 'chat.completion', choices: [{ message: { role: 'assistant', content: { chars: 4 } }, finish_reason: null }], ...ERROR });
  });

  test('that nobody could put together is none, and fails nothing', () => {
    const captured = new Captured(settings());
    captured.streamed(() => {
      throw new Error('half a tool call');
    });
    captured.streamed(() => null);
    expect(responseText(captured, 'full')).toBeNull();
  });

  test('says that it was cut where a stream grew too long to be held', () => {
    const captured = new Captured(settings());
    captured.replied(bytes(answer), 2_000_000);
    expect(responseText(captured, 'full')).toMatchObject({ truncated: true });
  });

  test.each([
    ['small JSON is held', 'images/generations', 'application/json; charset=utf-8', ['{"data":', '[]}'], { data: [] }],
    ['large JSON is only counted', 'images/generations', 'application/json', Array.from({ length: 300 }, () => 'x'.repeat(1024)), { left_out: true, content_type: 'application/json', bytes: 300 * 1024 }],
    ['what is no JSON is only counted', 'audio/speech', 'audio/mpeg', ['abc'], { left_out: true, content_type: 'audio/mpeg', bytes: 3 }],
    ['the content of a file is only counted', 'files/{id}/content', 'application/json', ['{}'], { left_out: true, content_type: 'application/json', bytes: 2 }],
  ])('of a reply that is passed on as it comes: %s', (_, endpoint, contentType, chunks, expected) => {
    const captured = new Captured(settings());
    const passing = captured.passing(endpoint, contentType);
    for (const chunk of chunks) passing.add(Buffer.from(chunk));
    passing.ended();
    expect(said(responseText(captured, 'full'))).toEqual(expected);
  });
});
