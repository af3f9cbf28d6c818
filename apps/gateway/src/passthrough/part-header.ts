import { DejaError } from '@deja/contracts';

/** What a part of a form says of itself. `filename` is null for a plain field. */
export interface PartHeader {
  name: string;
  filename: string | null;
  contentType: string | null;
}

const TOKEN = String.raw`[!#$%&'*+\-.^_\`|~0-9A-Za-z]+`;
const PARAMETER = new RegExp(String.raw`[ \t]*;[ \t]*(${TOKEN})=(?:"((?:[^"\\]|\\.)*)"|(${TOKEN}))`, 'y');
const HEADER_LINE = new RegExp(String.raw`^(${TOKEN}):(.*)$`, 's');
const TYPE = new RegExp(String.raw`^(${TOKEN}(?:/${TOKEN})?)`);
/** RFC 2046, section 5.1.1: `boundary`. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;
const MAX_NAME_CHARS = 256;

/** The boundary that a `content-type` header gives for a form, by RFC 2046; null when it is no multipart/form-data or its boundary is none. */
export function boundaryOf(contentType: string): string | null {
  const header = parsed(contentType.trim());
  const boundary = header?.value === 'multipart/form-data' ? header.parameters.get('boundary') : undefined;
  return boundary !== undefined && BOUNDARY.test(boundary) ? boundary : null;
}

/**
 * Reads the header block of one part (RFC 7578, section 4). Throws `invalid_value` for whatever another parser might read differently: what is checked
 * here has to be what the provider sees.
 * @param block the lines, each with its CRLF, without the empty one
 */
export function partHeader(block: Buffer): PartHeader {
  const lines = block.toString('utf8').split('\r\n').slice(0, -1);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ''] = HEADER_LINE.exec(line) ?? [];
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    if (name === undefined || /[\x00-\x08\x0a-\x1f\x7f]/.test(value)) throw malformed('the header of a part is not made of lines "name: value"');
    if (headers.has(name.toLowerCase())) throw malformed(`a part has two headers ${name.toLowerCase()}`);
    headers.set(name.toLowerCase(), value.trim());
  }
  const disposition = parsed(headers.get('content-disposition') ?? '');
  if (disposition?.value !== 'form-data') throw malformed('a part has no well-formed header content-disposition: form-data');
  const name = disposition.parameters.get('name');
  if (name === undefined || disposition.parameters.has('name*')) throw malformed('a part has no name');
  if (name === '' || name.length > MAX_NAME_CHARS || /[\\\ufffd]/.test(name)) throw malformed('a part has a name that is empty, too long or escaped');
  const filename = disposition.parameters.get('filename') ?? disposition.parameters.get('filename*') ?? null;
  if (filename === '') throw malformed(`the file in '${name}' has an empty filename`);
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase() ?? 'binary';
  if (filename === null && !['7bit', '8bit', 'binary'].includes(encoding)) throw malformed(`the field '${name}' is encoded as ${encoding.slice(0, 32)}, which forms do not use`);
  return { name, filename, contentType: headers.get('content-type') ?? null };
}

/** The charset of a `content-type`, in lower case; null when it names none, and '' when nobody can tell. */
export function charsetOf(contentType: string | null): string | null {
  if (contentType === null || !/charset/i.test(contentType)) return null;
  return parsed(contentType)?.parameters.get('charset')?.toLowerCase() ?? '';
}

/** The same block for a body of `bytes` bytes: some clients give each part its length. */
export function withLength(block: Buffer, bytes: number): Buffer {
  return Buffer.from(block.toString('latin1').replace(/^(content-length:)[^\r]*/im, `$1 ${bytes}`), 'latin1');
}

export const malformed = (what: string): DejaError => new DejaError('invalid_value', `The form is malformed: ${what}.`);

/** A header's value, in lower case, and its parameters; null when it is not well formed or names one twice. */
function parsed(text: string): { value: string; parameters: Map<string, string> } | null {
  const value = TYPE.exec(text)?.[1];
  if (value === undefined) return null;
  const parameters = new Map<string, string>();
  let at = value.length;
  while (at < text.length) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(text);
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || parameters.has(name)) return null;
    parameters.set(name, match[2]?.replace(/\\(["\\])/g, '$1') ?? match[3] ?? '');
    at = PARAMETER.lastIndex;
  }
  return { value: value.toLowerCase(), parameters };
}
