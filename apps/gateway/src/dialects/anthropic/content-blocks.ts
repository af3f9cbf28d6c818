import type { ChatMessage } from '../../chat/chat-request.ts';
import { fieldOf, isBlock, isObject, textOf, type Block } from './messages-api.ts';

/** Anthropic's own blocks, which clients of its models send in OpenAI's content lists. */
const NATIVE = new Set(['image', 'document', 'search_result']);

/** A message's content in Anthropic's blocks. Blank texts are left out: Anthropic refuses them. */
export function contentBlocks(content: ChatMessage['content']): Block[] {
  if (typeof content === 'string') return textBlocks(content);
  return (content ?? []).flatMap((part) => {
    const text = partText(part);
    const blocks = text === null ? mediaBlocks(part) : textBlocks(text);
    return blocks.map((block) => withCacheControl(block, part));
  });
}

/** Whether Anthropic can be given this content part. */
export const isTranslatable = (part: unknown): boolean => isBlock(part) && (partText(part) !== null || mediaBlocks(part).length > 0);

export const textBlocks = (text: string): Block[] => (text.trim() === '' ? [] : [{ type: 'text', text }]);

/** Marks a block as the end of a cached prefix where the client did so (Anthropic, "Prompt caching"). */
export function withCacheControl(block: Block, source: unknown): Block {
  const cacheControl = fieldOf(source, 'cache_control');
  return isObject(cacheControl) ? { ...block, cache_control: cacheControl } : block;
}

function partText(part: Block): string | null {
  if (typeof part['text'] === 'string') return part['text'];
  return part.type === 'refusal' ? textOf(part, 'refusal') : null;
}

function mediaBlocks(part: Block): Block[] {
  const block = part.type === 'image_url' ? imageBlock(part['image_url']) : part.type === 'file' ? fileBlock(part['file']) : NATIVE.has(part.type) ? { ...part } : null;
  return block ? [block] : [];
}

function imageBlock(image: unknown): Block | null {
  const url = typeof image === 'string' ? image : textOf(image, 'url');
  const data = parseDataUrl(url);
  if (data) return dataBlock(data, '');
  return /^https?:/i.test(url) ? { type: 'image', source: { type: 'url', url } } : null;
}

function fileBlock(file: unknown): Block | null {
  const content = textOf(file, 'file_data');
  if (content === '') return null; // `file_id` names a file that OpenAI has
  if (/^https?:/i.test(content)) return { type: 'document', source: { type: 'url', url: content } };
  // OpenAI asks for a data URL; bare base64 is what some clients send for a PDF.
  const data = parseDataUrl(content) ?? (/^data:/i.test(content) ? null : { mediaType: 'application/pdf', base64: content });
  return data && dataBlock(data, textOf(file, 'filename'));
}

/** Anthropic, "Vision" and "PDF support": images and PDFs as base64, everything textual as plain text. */
function dataBlock({ mediaType, base64 }: DataUrl, title: string): Block | null {
  if (mediaType.startsWith('image/')) return { type: 'image', source: { type: 'base64', media_type: mediaType, data: base64 } };
  const named = title === '' ? {} : { title };
  if (mediaType === 'application/pdf') return { type: 'document', source: { type: 'base64', media_type: mediaType, data: base64 }, ...named };
  if (!mediaType.startsWith('text/') && mediaType !== 'application/json') return null;
  return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: Buffer.from(base64, 'base64').toString('utf8') }, ...named };
}

interface DataUrl {
  mediaType: string;
  base64: string;
}

/** RFC 2397; null for any other URL and for one that carries nothing. */
function parseDataUrl(url: string): DataUrl | null {
  const head = /^data:([^;,]{0,127})((?:;[^;,]{0,255}){0,8}),/i.exec(url);
  if (!head) return null;
  const payload = url.slice(head[0].length);
  const mediaType = (head[1] ?? '').trim().toLowerCase().replace('image/jpg', 'image/jpeg') || 'text/plain';
  const base64 = /;\s*base64$/i.test(head[2] ?? '') ? payload : Buffer.from(percentDecoded(payload), 'utf8').toString('base64');
  return base64 === '' ? null : { mediaType, base64 };
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone percent sign: taken as it stands
  }
}
