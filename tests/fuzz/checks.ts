import { isHttp, type WireRequest } from './requests.ts';
import type { WireReply } from '../wire/replies.ts';
import type { Outcome } from './wire.ts';

export interface Seen {
  request: WireRequest;
  outcome: Outcome;
  /** Requests that the provider got whole because of this one. */
  reached: number;
  secrets: readonly string[];
}

/** What only shows when the inside of a program does. */
export const INTERNALS = /\n\s+at |node_modules|\b(?:TypeError|RangeError|ReferenceError|SyntaxError|ECONN|ERR_[A-Z_]+)\b|Cannot read|is not a function|is not iterable/;

/** What is wrong with an answer; empty when nothing is. */
export function complaintsOf({ request, outcome, reached, secrets }: Seen): string[] {
  if ('silent' in outcome) return ['no answer'];
  if ('closed' in outcome) return isHttp(request) ? ['the connection was closed without an answer'] : [];
  const { reply } = outcome;
  const text = reply.body.toString('utf8');
  const all = text + JSON.stringify(reply.headers);
  return [
    ...statusComplaints(request, reply),
    ...(reply.status >= 400 && request.method !== 'HEAD' ? shapeComplaints(text) : contentComplaints(request, reply, text)),
    ...(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(reply.headers['x-request-id'] ?? '') ? [] : ['no x-request-id']),
    ...(secrets.some((secret) => all.includes(secret)) ? ['a secret in the answer'] : []),
    ...(reply.status >= 400 && INTERNALS.test(text) ? ['the inside shows in the error'] : []),
    ...(reply.status >= 400 && reached > 0 && Number(reply.headers['x-deja-attempts'] ?? 0) === 0 ? ['refused, but the provider got it'] : []),
  ];
}

function statusComplaints({ headers }: WireRequest, { status }: WireReply): string[] {
  const onlyIfCached = headers.some(([name, value]) => name === 'cache-control' && value.includes('only-if-cached'));
  if (Number.isNaN(status)) return ['an answer that is no HTTP'];
  return status < 500 || (status === 504 && onlyIfCached) ? [] : [`status ${status}`];
}

/** What is wrong with the body of an error. */
export function shapeComplaints(text: string): string[] {
  const error = (parsed(text) as { error?: Record<string, unknown> } | undefined)?.error;
  if (typeof error !== 'object' || error === null) return ['an error that is not in OpenAI’s shape'];
  const { message, type, param, code } = error;
  const sound = typeof message === 'string' && message !== '' && typeof type === 'string' && type !== '' && (param === null || typeof param === 'string') && typeof code === 'string' && code !== '';
  return sound && Object.keys(error).length === 4 ? [] : ['an error without message, type, param and code'];
}

function contentComplaints({ method }: WireRequest, { status, headers }: WireReply, text: string): string[] {
  if (method === 'HEAD' || status === 204) return [];
  const type = headers['content-type'] ?? '';
  if (type.startsWith('application/json') && parsed(text) === undefined) return ['JSON that is none'];
  if (type.startsWith('text/event-stream') && !text.split('\n').every((line) => /^(?:|:.*|(?:data|event|id|retry):.*)$/.test(line))) return ['an event stream that is none'];
  return [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // the caller complains
  }
}
