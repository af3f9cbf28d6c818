import { describe, expect, test } from '@jest/globals';
import { wholeUpload } from './file-upload.ts';

const BOUNDS = { maxFieldBytes: 1024, maxFieldsBytes: 4096, maxParts: 16, maxHeaderBytes: 1024 };
const field = (name: string, value: string): string => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (name: string): string => `--b\r\nContent-Disposition: form-data; name="${name}"; filename="a.jsonl"\r\n\r\n{}\r\n`;
const END = '--b--\r\n';

/** What goes on of a form that comes in pieces of this length, and what it ends with. */
async function sent(form: string, pieceBytes: number): Promise<{ text: string; error: unknown }> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < form.length; at += pieceBytes) yield Buffer.from(form.slice(at, at + pieceBytes));
  }
  let text = '';
  try {
    for await (const chunk of wholeUpload(pieces(), 'multipart/form-data; boundary=b', BOUNDS)) text += Buffer.from(chunk).toString();
    return { text, error: null };
  } catch (error) {
    return { text, error };
  }
}

describe.each([1, 7, 10_000])('an upload in pieces of %i bytes', (pieceBytes) => {
  test.each([field('purpose', 'batch') + file('file'), file('file') + field('purpose', 'batch') + field('expires_after[seconds]', '3600')])('goes on unchanged with its purpose and its file', async (parts) => {
    expect(await sent(parts + END, pieceBytes)).toEqual({ text: parts + END, error: null });
  });

  test.each([
    ['missing_required_parameter', 'purpose', file('file')],
    ['missing_required_parameter', 'file', field('purpose', 'batch')],
    ['missing_required_parameter', 'file', field('purpose', 'batch') + field('file', 'no file') + file('other')],
    ['invalid_value', 'purpose', field('purpose', 'batch') + file('file') + field('purpose', 'vision')],
    ['invalid_value', 'file', field('purpose', 'batch') + file('file') + file('file')],
  ])('is refused with %s for %s before it is complete', async (code, param, parts) => {
    const { text, error } = await sent(parts + END, pieceBytes);
    expect(error).toMatchObject({ code, param });
    expect(text).not.toContain('--b--');
  });
});
