import { createHash } from 'node:crypto';
import type { FormValue } from './fake-provider-steps.ts';

export interface Form {
  fields: Record<string, FormValue | FormValue[]>;
  /** By SHA-256. */
  contents: Map<string, Buffer>;
}

/** Reads a multipart body (RFC 7578); undefined when it is none, or broken. */
export async function readForm(body: Buffer, contentType: string | undefined): Promise<Form | undefined> {
  if (contentType === undefined || !/^multipart\/form-data/i.test(contentType)) return undefined;
  const fields: Form['fields'] = {};
  const contents: Form['contents'] = new Map();
  try {
    for (const [name, entry] of await new Response(body as Uint8Array<ArrayBuffer>, { headers: { 'content-type': contentType } }).formData()) {
      const value = typeof entry === 'string' ? entry : await readFile(entry, contents);
      const before = fields[name];
      fields[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    }
  } catch {
    return undefined; // recorded as it came; the test looks at rawBody
  }
  return { fields, contents };
}

async function readFile(file: File, contents: Form['contents']): Promise<FormValue> {
  const bytes = Buffer.from(await file.arrayBuffer());
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  contents.set(sha256, bytes);
  return { filename: file.name, contentType: file.type, size: bytes.length, sha256 };
}
