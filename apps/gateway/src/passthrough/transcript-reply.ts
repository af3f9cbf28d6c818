import type { ServerResponse } from 'node:http';
import { AttemptFailure } from '../attempt/failure.ts';
import { streamError } from '../chat/stream-error.ts';
import { SSE_DONE, SseParser, sseEvent } from '../dialects/sse.ts';
import type { AnswerRules } from '../guard/answer-rules.ts';
import type { Operation } from '../operation/operation.ts';
import { parsedReply } from '../reply/parsed-reply.ts';
import type { RawAnswer } from './raw-call.ts';
import { readAnswer, sendTreated } from './raw-reply.ts';

type Fields = Record<string, unknown>;

/** Sends what was heard in a recording, read whole and held to content rules. Rejects with an AttemptFailure, `blocked` when the client may not have it. */
export async function sendTranscript(operation: Operation, answer: RawAnswer, rules: AnswerRules, response: ServerResponse): Promise<void> {
  const { reply, candidate } = answer;
  operation.servedModel = candidate.model;
  const body = await readAnswer(answer, (bytes) => guardedTranscript(bytes, reply.contentType, rules));
  sendTreated(operation, reply, body, response);
}

/**
 * A transcript as it may be sent; the very same bytes where nothing changes. Formats as in OpenAI's API reference, "Create transcription": JSON of three
 * kinds, text, subtitles, and events, of which only the last one that says all is left.
 */
export function guardedTranscript(bytes: Buffer, contentType: string, rules: AnswerRules): Buffer {
  if (contentType.startsWith('text/event-stream')) return Buffer.from(lastEvent(bytes, rules));
  if (/^[^;]*json/.test(contentType)) {
    const said = parsedReply(bytes);
    const treated = guardedJson(said, rules);
    return treated === said ? bytes : Buffer.from(JSON.stringify(treated));
  }
  const text = bytes.toString('utf8');
  const treated = rules.whole(text);
  return treated === text ? bytes : Buffer.from(treated);
}

function guardedJson(said: unknown, rules: AnswerRules): unknown {
  const treated = rules.all(said);
  if (typeof treated !== 'object' || treated === null) return treated;
  const fields = rules.withoutTokens(treated as Fields);
  if (fields['text'] === (said as Fields)['text']) return fields;
  // They repeat in pieces what was taken out of the whole.
  return { ...fields, ...(fields['words'] !== undefined && { words: [] }), ...(fields['segments'] !== undefined && { segments: [] }) };
}

function lastEvent(bytes: Buffer, rules: AnswerRules): string {
  const events = new SseParser().push(Buffer.concat([bytes, Buffer.from('\n\n')])).filter(({ data }) => data !== SSE_DONE).map(({ data }) => parsedReply(Buffer.from(data)) as Fields | null);
  const failed = events.find((event) => event?.['type'] === 'error' || (event?.['error'] !== undefined && event['error'] !== null));
  if (failed !== undefined) throw streamError(failed);
  const done = events.findLast((event) => event?.['type'] === 'transcript.text.done');
  if (done === undefined) throw new AttemptFailure('malformed', { cause: new Error('the transcript never ended') });
  return sseEvent(JSON.stringify(guardedJson(done, rules)));
}
