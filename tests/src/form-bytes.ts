import { createHash } from 'node:crypto';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { FormFile } from '@deja/testing';

const BOUNDARY = '----deja-test-boundary';
export const field = (name: string, value: string): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
export const fileHead = (name: string, filename: string): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: application/octet-stream\r\n\r\n`;
export const END = `\r\n--${BOUNDARY}--\r\n`;

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const fileIn = (form: Record<string, unknown> | undefined, name = 'file'): FormFile => form?.[name] as FormFile;

export interface OpenForm {
  sending: ClientRequest;
  write: (bytes: string | Buffer) => Promise<void>;
  reply: Promise<{ status: number; id: string; json: Record<string, unknown> }>;
}

/** A form whose bytes the test sends when it likes. */
export function openForm(url: string, key: string): OpenForm {
  const sending = request(url, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` } });
  const reply = new Promise<IncomingMessage>((resolve, reject) => sending.on('response', resolve).on('error', reject)).then(async (response) => {
    const text = Buffer.concat(await response.toArray()).toString('utf8');
    return { status: response.statusCode ?? 0, id: String(response.headers['x-request-id']), json: JSON.parse(text) as Record<string, unknown> };
  });
  reply.catch(() => undefined); // those who leave do not look
  return { sending, reply, write: (bytes) => new Promise((resolve) => sending.write(bytes, () => resolve())) };
}
