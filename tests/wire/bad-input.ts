import { INTERNALS, shapeComplaints } from '../fuzz/checks.ts';
import type { Exchanged } from './exchange.ts';
import { requestBytes, type RequestParts } from './request-bytes.ts';

/** What the rows of the tables need to know of the cluster they are sent to. */
export interface Known {
  key: string;
  adminKey: string;
  /** Most bytes that a body may have there. */
  maxBodyBytes: number;
}

/** One kind of bad input: what is sent, and what has to come of it. */
export interface BadInput {
  name: string;
  bytes: Buffer;
  /** null: closed without an answer, where HTTP has none to give. */
  status: number | null;
  /** Of the error; one of several where it depends on what is looked at first. */
  code: string | readonly string[];
  /** The place that the error names; not looked at where it is missing. */
  param?: string | null;
  /** The place may also be one inside of `param`. */
  inside?: boolean;
  /** Answers before the refusal, to requests on the same connection. */
  before?: number;
  /** The rest of the connection may not be read as requests: it is closed after the refusal. */
  closes?: boolean;
  /** The client ends its half when all is sent. */
  ends?: boolean;
  isHead?: boolean;
}

export const bearer = (key: string): [string, string] => ['authorization', `Bearer ${key}`];
export const JSON_TYPE: [string, string] = ['content-type', 'application/json'];

/** A row whose request is HTTP all right. */
export const row = (name: string, parts: RequestParts, expected: Omit<BadInput, 'name' | 'bytes'>): BadInput => ({ name, bytes: requestBytes(parts), ...expected, ...(parts.method === 'HEAD' && { isHead: true }) });

export const GOOD_CHAT = { model: 'known', messages: [{ role: 'user', content: 'Refused before it is asked.' }] };

/** What is wrong with what came of a row; empty when nothing is. */
export function complaintsAbout(bad: BadInput, { replies, rest, closed }: Exchanged, secrets: readonly string[]): string[] {
  const expected = (bad.before ?? 0) + 1;
  const last = replies.at(-1);
  if (bad.status === null) return closed && last === undefined && rest.length === 0 ? [] : [`not closed at once, but ${last?.status ?? 'open'}`];
  if (last === undefined) return [closed ? 'closed without an answer' : 'no answer'];
  const text = last.body.toString('utf8');
  const error = (jsonOf(text) as { error?: { code?: unknown; param?: unknown } } | null)?.error;
  const all = text + JSON.stringify(last.headers);
  return [
    ...(replies.length === expected ? [] : [`${replies.length} answers for ${expected}`]),
    ...(replies.slice(0, -1).every(({ status }) => status === 200) ? [] : [`answers before it: ${replies.map(({ status }) => status).join()}`]),
    ...(last.status === bad.status ? [] : [`status ${last.status}, not ${bad.status}`]),
    ...(bad.isHead === true ? [] : shapeComplaints(text)),
    ...(bad.isHead === true || [bad.code].flat().includes(String(error?.code)) ? [] : [`code ${String(error?.code)}, not ${String(bad.code)}`]),
    ...(bad.param === undefined || error?.param === bad.param || (bad.inside === true && isInside(error?.param, bad.param)) ? [] : [`param ${String(error?.param)}, not ${String(bad.param)}`]),
    ...(/^[0-9a-f-]{36}$/.test(last.headers['x-request-id'] ?? '') ? [] : ['no x-request-id']),
    ...(bad.closes === true && !closed ? ['the connection was left open'] : []),
    ...(rest.length > 0 ? [`${rest.length} bytes behind the answer`] : []),
    ...(secrets.some((secret) => all.includes(secret)) ? ['a secret in the answer'] : []),
    ...(INTERNALS.test(text) ? ['the inside shows in the error'] : []),
  ];
}

const isInside = (param: unknown, outer: string | null): boolean => typeof param === 'string' && outer !== null && (param.startsWith(`${outer}[`) || param.startsWith(`${outer}.`));

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null; // complained about by its shape
  }
}
