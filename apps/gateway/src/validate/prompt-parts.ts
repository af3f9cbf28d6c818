import { imageSize, type PromptImage, type PromptParts } from '@deja/tokens';

/** Members that name or point, and are read as no text by the model. */
const NOT_READ = new Set(['role', 'type', 'id', 'tool_call_id', 'call_id', 'file_id', 'detail', 'format', 'encrypted_content', 'status', 'signature', 'cache_control', 'annotations', 'logprobs']);
const BASE64_BYTES_PER_CHAR = 3 / 4;
/** Documents are read as text and pictures; a page of a PDF has some 3 KB and costs some 1,500 tokens. */
const DOCUMENT_BYTES_PER_TOKEN = 2;

/** What a prompt is made of, gathered from messages or input items in OpenAI's shapes. */
export class PartsCollector {
  private readonly texts: string[] = [];
  private readonly images: PromptImage[] = [];
  private audioBytes = 0;
  private tokens = 0;

  /** Takes whatever stands in a request's messages, input or instructions. */
  add(value: unknown): this {
    if (typeof value === 'string') this.texts.push(value);
    else if (Array.isArray(value)) for (const item of value) this.add(item);
    else if (typeof value === 'object' && value !== null) this.addObject(value as Record<string, unknown>);
    return this;
  }

  parts(messages: number, toolsJson: readonly unknown[]): PromptParts {
    const tools = toolsJson.reduce<number>((sum, value) => sum + (value === undefined || value === null ? 0 : JSON.stringify(value).length), 0);
    return { texts: this.texts, messages, images: this.images, tools, audioBytes: this.audioBytes, tokens: this.tokens };
  }

  private addObject(object: Record<string, unknown>): void {
    const { type } = object;
    if (type === 'image_url' || type === 'input_image') return this.addImage(object);
    if (type === 'input_audio') return this.addAudio(object['input_audio']);
    if (type === 'file' || type === 'input_file') return this.addFile(object['file'] ?? object);
    for (const [name, inner] of Object.entries(object)) if (!NOT_READ.has(name)) this.add(inner);
  }

  private addImage(part: Record<string, unknown>): void {
    const image = part['image_url'];
    const { url, detail } = (typeof image === 'string' ? { url: image, detail: part['detail'] } : (image ?? part)) as { url?: unknown; detail?: unknown };
    const size = typeof url === 'string' && url.startsWith('data:') ? imageSize(url) : null;
    this.images.push({ ...size, ...(typeof detail === 'string' && { detail }) });
  }

  private addAudio(audio: unknown): void {
    const { data } = (audio ?? {}) as { data?: unknown };
    if (typeof data === 'string') this.audioBytes += Math.ceil(data.length * BASE64_BYTES_PER_CHAR);
  }

  private addFile(file: unknown): void {
    const { file_data: data } = (file ?? {}) as { file_data?: unknown };
    if (typeof data === 'string') this.tokens += Math.ceil((data.length * BASE64_BYTES_PER_CHAR) / DOCUMENT_BYTES_PER_TOKEN);
  }
}
