import { isObject, textOf, type Part } from './generate-content.ts';

/** By the end of a file's name. The types that Gemini lists under "Image / Video / Audio / Document understanding". */
const MIME_TYPES: Readonly<Record<string, string>> = {
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', webp: 'image/webp', heic: 'image/heic', heif: 'image/heif', gif: 'image/gif',
  mp4: 'video/mp4', mpeg: 'video/mpeg', mpg: 'video/mpg', mov: 'video/mov', avi: 'video/avi', webm: 'video/webm', wmv: 'video/wmv', flv: 'video/x-flv', '3gp': 'video/3gpp',
  wav: 'audio/wav', mp3: 'audio/mp3', aiff: 'audio/aiff', aac: 'audio/aac', ogg: 'audio/ogg', flac: 'audio/flac',
  pdf: 'application/pdf', txt: 'text/plain', md: 'text/md', csv: 'text/csv', html: 'text/html', xml: 'text/xml', css: 'text/css', rtf: 'text/rtf',
};

/** One part of a user's message that is no text; null for what Gemini cannot be given (a file that OpenAI holds, an unknown part). */
export function mediaPart(part: Record<string, unknown>): Part | null {
  switch (part['type']) {
    case 'image_url':
      return ofUrl(urlIn(part['image_url']), 'image/jpeg');
    case 'video_url':
      return ofUrl(urlIn(part['video_url']), 'video/mp4');
    case 'input_audio':
      return ofAudio(part['input_audio']);
    case 'file':
      return ofFile(part['file']);
    default:
      return null;
  }
}

const urlIn = (value: unknown): string | null => (isObject(value) ? textOf(value['url']) : textOf(value));

function ofUrl(url: string | null, otherwise: string): Part | null {
  if (url === null) return null;
  if (/^data:/i.test(url)) return ofDataUrl(url, otherwise);
  if (!URL.canParse(url)) return null;
  const { protocol, pathname } = new URL(url);
  // Gemini fetches by itself and wants to know the type beforehand; a path without one is most likely what the part is for
  return protocol === 'https:' || protocol === 'http:' ? { fileData: { mimeType: mimeTypeOf(pathname) ?? otherwise, fileUri: url } } : null;
}

/** RFC 2397. */
function ofDataUrl(url: string, otherwise: string): Part | null {
  const comma = url.indexOf(',');
  if (comma < 0) return null;
  const [type = '', ...parameters] = url.slice('data:'.length, comma).split(';');
  const mimeType = type.trim() === '' ? otherwise : type.trim().toLowerCase();
  const content = url.slice(comma + 1);
  if (parameters.some((parameter) => parameter.trim().toLowerCase() === 'base64')) return { inlineData: { mimeType, data: content } };
  try {
    return { inlineData: { mimeType, data: Buffer.from(decodeURIComponent(content)).toString('base64') } };
  } catch {
    return null; // not percent-encoded text
  }
}

function ofAudio(audio: unknown): Part | null {
  const data = isObject(audio) ? textOf(audio['data']) : null;
  const format = isObject(audio) ? textOf(audio['format']) : null;
  return data === null ? null : { inlineData: { mimeType: `audio/${format ?? 'wav'}`, data } };
}

function ofFile(file: unknown): Part | null {
  const data = isObject(file) ? textOf(file['file_data']) : null;
  if (data === null || !isObject(file)) return null;
  const mimeType = mimeTypeOf(textOf(file['filename']) ?? '') ?? 'application/pdf';
  return /^data:/i.test(data) ? ofDataUrl(data, mimeType) : { inlineData: { mimeType, data } };
}

function mimeTypeOf(path: string): string | null {
  const ending = /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(MIME_TYPES, ending) ? (MIME_TYPES[ending] ?? null) : null;
}
