import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Reply } from './fake-call.ts';
import type { ProviderRequest, RawReply, Step } from './fake-provider-steps.ts';
import { completion, completionFrames, type Asked, type Frame } from './fake-provider-wire.ts';

const SSE = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };

/** Where an answer goes. */
export interface Stage {
  request: ProviderRequest;
  response: ServerResponse;
  /** Fires when nobody is left to be answered. */
  signal: AbortSignal;
  /** Called before this side breaks the connection. */
  breaking: () => void;
}

/** Carries a step out on one response; `reply` is asked for what the endpoint says once it is time to answer. */
export async function play(step: Step, reply: () => Reply, stage: Stage): Promise<void> {
  if (step.hangAfter === 0) return; // the response stays open until someone closes it
  if (step.beforeFirstByteMs) await delay(step.beforeFirstByteMs, undefined, { signal: stage.signal });
  if (step.cutAfter === 0) return breakOff(stage);
  if (step.raw !== undefined) return playRaw(step, step.raw, stage);
  const headers = { 'x-request-id': `req_fake_${stage.request.n}`, ...step.headers };
  if (step.status !== undefined && step.status !== 200) return whole(stage, step.status, headers, step.error ?? {}, { ...(step.malformed !== undefined && { malformed: step.malformed }) });
  const { status = 200, contentType, body, frames } = reply();
  const typed = { ...headers, ...(contentType !== undefined && { 'content-type': contentType }) };
  if (frames === undefined) return whole(stage, status, typed, body, step);
  stage.response.writeHead(status, contentType === undefined ? { ...SSE, ...typed } : typed);
  return playFrames(step, framesOf(step, frames), stage);
}

/** Writes a reply that is not a stream; a cut or hang after some chunks happens in the middle of its body. */
export function whole(stage: Stage, status: number, headers: Record<string, string>, body: unknown, step: Step): void {
  const all = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const bytes = step.malformed === 'json' ? all.subarray(0, all.length >> 1) : all;
  stage.response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers });
  if (step.cutAfter === undefined && step.hangAfter === undefined) {
    stage.response.end(bytes, () => (stage.request.sentBytes += bytes.length));
    return;
  }
  void send(stage, bytes.subarray(0, bytes.length >> 1)).then(() => {
    if (step.cutAfter !== undefined) breakOff(stage);
  });
}

function playRaw(step: Step, raw: RawReply, stage: Stage): Promise<void> | void {
  const status = raw.status ?? 200;
  const headers = { 'content-type': raw.contentType, ...step.headers, ...raw.headers };
  if (typeof raw.body === 'string' || Buffer.isBuffer(raw.body)) return whole(stage, status, headers, raw.body, step);
  stage.response.writeHead(status, headers);
  return playFrames(step, rawFrames(raw.body), stage);
}

function* rawFrames(pieces: Iterable<string | Buffer>): Generator<Frame> {
  for (const text of pieces) yield { text, content: true };
}

/** The frames as the step wants them: broken in one event, or without an end. */
function* framesOf(step: Step, frames: Iterable<Frame>): Generator<Frame> {
  let toBreak = step.malformed === 'sse';
  for (const frame of frames) {
    if (frame.end && step.done === false) continue;
    // An answer without content breaks before its end.
    if (toBreak && frame.end) yield BROKEN;
    yield frame;
    if (toBreak && frame.content) yield BROKEN;
    if (frame.content || frame.end) toBreak = false;
  }
}

const BROKEN: Frame = { text: 'data: {"choices":[{"delta":{"content":\n\n', content: false };

async function playFrames(step: Step, frames: Iterable<Frame>, stage: Stage): Promise<void> {
  let contents = 0;
  for (const frame of frames) {
    if (step.cutAfter !== undefined && contents >= step.cutAfter) return breakOff(stage);
    if (step.hangAfter !== undefined && contents >= step.hangAfter) return;
    if (frame.content) {
      if (step.chunkDelayMs) await delay(step.chunkDelayMs, undefined, { signal: stage.signal });
      await step.gate?.(contents);
      contents += 1;
    }
    stage.signal.throwIfAborted();
    await send(stage, frame.text);
  }
  stage.response.end();
}

/** Resolves when the system took the bytes: a cut comes after them, not instead of them, and a slow reader slows the writer. */
function send(stage: Stage, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve) => {
    stage.response.write(bytes, (error) => {
      if (!error) stage.request.sentBytes += Buffer.byteLength(bytes);
      resolve();
    });
  });
}

function breakOff(stage: Stage): void {
  stage.breaking();
  stage.response.destroy();
}

/** A handler that sends bytes rendered once: it only looks whether a stream, and its usage, were asked for. */
export function preRendered(step: Step): (request: IncomingMessage, response: ServerResponse) => void {
  const base: Asked = { model: step.model ?? 'fake-model', stream: false, includeUsage: false, n: 1, topLogprobs: null, promptText: 'x'.repeat(40) };
  const body = Buffer.from(JSON.stringify(completion(step, base, 'chatcmpl-fake-fast')));
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const streams = [false, true].map((includeUsage) => completionFrames(step, { ...base, stream: true, includeUsage }, 'chatcmpl-fake-fast').map((frame) => Buffer.from(frame.text)));
  return (request, response) => {
    let text = '';
    request.setEncoding('latin1');
    request.on('data', (part: string) => (text += part));
    request.on('end', () => {
      if (!/"stream":\s*true/.test(text)) {
        response.writeHead(200, headers);
        return void response.end(body);
      }
      response.writeHead(200, SSE);
      for (const frame of streams[/"include_usage":\s*true/.test(text) ? 1 : 0] ?? []) response.write(frame);
      response.end();
    });
  };
}
