import type { Call, Reply } from './fake-call.ts';
import { refuse } from './fake-call.ts';
import type { FormFile } from './fake-provider-steps.ts';
import { CREATED_S, event, isRecord, roughTokens, typedEvent, wordOf, type Frame } from './fake-provider-wire.ts';

/** A picture of one transparent pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const AUDIO_TYPES: Record<string, string> = { mp3: 'audio/mpeg', opus: 'audio/opus', aac: 'audio/aac', flac: 'audio/flac', wav: 'audio/wav', pcm: 'audio/pcm' };
const SPEECH_CHUNK_BYTES = 1024;
const SPEECH_CHUNKS = 4;

/** The fields of a request, whether they came as JSON or as a form. */
function fieldsOf(call: Call): Record<string, unknown> {
  return call.request.form ?? (isRecord(call.request.body) ? call.request.body : {});
}

const fileOf = (value: unknown): FormFile | undefined => (isRecord(value) && typeof value['sha256'] === 'string' ? (value as unknown as FormFile) : undefined);

/** POST images/generations. */
export const imageGenerations = (call: Call): Reply => images(call, 'image_generation', 0);

/** POST images/edits and images/variations: a form with one `image`, or several as `image[]`. */
export function imageEdits(call: Call): Reply {
  const fields = fieldsOf(call);
  const given = [fields['image'] ?? fields['image[]'] ?? fields['images'] ?? []].flat();
  if (given.length === 0) return refuse(400, "Missing required parameter: 'image'.", 'image', 'missing_required_parameter');
  return images(call, 'image_edit', given.length);
}

/** OpenAI's bounds of `n` and `partial_images`; what is no number counts as none. */
const countOf = (value: unknown, most: number): number => (typeof value === 'number' || typeof value === 'string' ? Math.max(0, Math.min(most, Math.floor(Number(value)) || 0)) : 0);

function images(call: Call, kind: string, given: number): Reply {
  const fields = fieldsOf(call);
  const textTokens = roughTokens(wordOf(fields['prompt']));
  const count = countOf(fields['n'] ?? 1, 10);
  const partialImages = countOf(fields['partial_images'] ?? 0, 3);
  const usage = {
    total_tokens: textTokens + given * 194 + count * 272,
    input_tokens: textTokens + given * 194,
    output_tokens: count * 272,
    input_tokens_details: { text_tokens: textTokens, image_tokens: given * 194 },
  };
  const form = { size: fields['size'] ?? '1024x1024', quality: fields['quality'] ?? 'low', background: fields['background'] ?? 'opaque', output_format: fields['output_format'] ?? 'png' };
  if (wordOf(fields['stream']) === 'true') {
    const frame = (type: string, more: object, end?: true): Frame => {
      const text = typedEvent({ type: `${kind}.${type}`, b64_json: PNG, created_at: CREATED_S, ...form, ...more });
      return { text, content: end === undefined, ...(end && { end }) };
    };
    const partials = Array.from({ length: partialImages }, (_, i) => frame('partial_image', { partial_image_index: i }));
    return { frames: [...partials, frame('completed', { usage }, true)] };
  }
  const asUrl = fields['response_format'] === 'url';
  const data = Array.from({ length: count }, (_, i) => (asUrl ? { url: `https://images.example/${call.request.n}-${i}.png`, revised_prompt: fields['prompt'] } : { b64_json: PNG }));
  // The older models answer with addresses, and count no tokens.
  return { body: { created: CREATED_S, data, ...(!asUrl && { ...form, usage }) } };
}

/** POST audio/speech: some kilobytes that depend on the text, chunk by chunk; as events with `stream_format: sse`. */
export function speech(call: Call): Reply {
  const fields = fieldsOf(call);
  const text = wordOf(fields['input']);
  const chunks = Array.from({ length: SPEECH_CHUNKS }, (_, i) => Buffer.alloc(SPEECH_CHUNK_BYTES, `${i === 0 ? 'ID3' : i}\u00ff${text}`));
  if (fields['stream_format'] !== 'sse') {
    return { contentType: AUDIO_TYPES[wordOf(fields['response_format'], 'mp3')] ?? 'audio/mpeg', frames: chunks.map((chunk) => ({ text: chunk, content: true })) };
  }
  const input = roughTokens(text);
  const usage = { input_tokens: input, output_tokens: SPEECH_CHUNKS * 10, total_tokens: input + SPEECH_CHUNKS * 10 };
  const frames: Frame[] = chunks.map((chunk) => ({ text: event({ type: 'speech.audio.delta', audio: chunk.toString('base64') }), content: true }));
  return { frames: [...frames, { text: event({ type: 'speech.audio.done', usage }), content: false, end: true }] };
}

/** POST audio/transcriptions: a form with `file`, answered as JSON, text, subtitles or events. */
export function transcriptions(call: Call): Reply {
  const fields = fieldsOf(call);
  const file = fileOf(fields['file']);
  if (file === undefined) return refuse(400, "Missing required parameter: 'file'.", 'file', 'missing_required_parameter');
  const deltas = call.step.deltas ?? [];
  const text = deltas.join('');
  const input = roughTokens('x'.repeat(file.size));
  const output = roughTokens(text);
  const tokens = { type: 'tokens', input_tokens: input, input_token_details: { text_tokens: 0, audio_tokens: input }, output_tokens: output, total_tokens: input + output };
  // whisper-1 is paid by the second.
  const usage = wordOf(fields['model']).startsWith('whisper') ? { type: 'duration', seconds: 2 } : tokens;
  if (fields['stream'] === 'true') {
    const frames: Frame[] = deltas.map((delta) => ({ text: event({ type: 'transcript.text.delta', delta }), content: true }));
    return { frames: [...frames, { text: event({ type: 'transcript.text.done', text, usage: tokens }), content: false, end: true }, DONE_AFTER_AUDIO] };
  }
  return spoken(wordOf(fields['response_format'], 'json'), text, 'transcribe', { usage });
}

/** Audio streams end with `[DONE]` too, after their own last event. */
const DONE_AFTER_AUDIO: Frame = { text: 'data: [DONE]\n\n', content: false, end: true };

/** POST audio/translations: the same, without events and usage. */
export function translations(call: Call): Reply {
  const fields = fieldsOf(call);
  if (fileOf(fields['file']) === undefined) return refuse(400, "Missing required parameter: 'file'.", 'file', 'missing_required_parameter');
  return spoken(wordOf(fields['response_format'], 'json'), (call.step.deltas ?? []).join(''), 'translate', {});
}

function spoken(format: string, text: string, task: string, more: object): Reply {
  const plain = (body: string): Reply => ({ contentType: 'text/plain; charset=utf-8', body });
  if (format === 'text') return plain(`${text}\n`);
  if (format === 'srt') return plain(`1\n00:00:00,000 --> 00:00:02,000\n${text}\n\n`);
  if (format === 'vtt') return plain(`WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n${text}\n\n`);
  if (format !== 'verbose_json') return { body: { text, ...more } };
  const segment = { id: 0, seek: 0, start: 0, end: 2, text, tokens: [1], temperature: 0, avg_logprob: -0.1, compression_ratio: 1, no_speech_prob: 0 };
  return { body: { task, language: 'english', duration: 2, text, segments: [segment], ...more } };
}
