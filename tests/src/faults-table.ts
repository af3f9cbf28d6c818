import type { ErrorCode, FailureKind, Trouble } from '@deja/contracts';
import { answer, chunks, cut, hang, malformed, raw, status, type Step } from '@deja/testing';

/** Times of the cluster under test. A deployment that nobody else stands beside is asked as often as `attempts` says. */
export const TIMES = { unaryMs: 1200, firstByteMs: 1200, idleMs: 1200, attempts: 3, breakerPauseMs: 5000 };

/** A row of DESIGN.md, 4.3. */
export interface Told {
  status: number;
  type: 'invalid_request_error' | 'requests' | 'api_error';
  code: ErrorCode;
  param?: string;
  /** Seconds; on 429 and 503 alone. */
  retryAfter?: string;
}

/** What the ledger says of one attempt. */
export interface AttemptSaid {
  status: number | null;
  outcome: 'ok' | 'error' | 'cancelled';
  error_code: ErrorCode | null;
  usage_source: 'upstream' | 'estimated' | 'none';
}

/** What the pool made of one call. */
export interface Learned {
  /** Of the deployment: that it failed, that it works, or nothing. */
  deployment: 'failing' | 'alive' | 'nothing';
  /** Of the credential: why it is set aside, and for how long; a guess may be a fifth shorter or longer. */
  credential?: { trouble: Trouble; forMs: number; guessed: boolean };
}

/** One way in which a call can fail before it has given anything. */
export interface Fault {
  kind: FailureKind;
  name: string;
  /** What the provider does, every time. `refuse`: nobody listens at its address. */
  does: Step | 'refuse';
  /** Unless both: how the client asks. */
  forms?: readonly Form[];
  /** The client goes away as soon as the provider has its request. */
  leaves?: boolean;
  /** `other`: another deployment is asked in its place. `same`: that too, and the same one again. `nobody`: the client is told at once. */
  next: 'other' | 'same' | 'nobody';
  attempt: AttemptSaid;
  /** What the client gets where nobody else can answer; null where it is gone. */
  told: Told | null;
  /** What it gets where the other one rejected its credential before, if that is something else. */
  toldLast?: Told;
  learned: Learned;
}

export type Form = 'whole' | 'stream';
export const FORMS: readonly Form[] = ['whole', 'stream'];

const said = (code: string | null, type = 'invalid_request_error', param: string | null = null): object => ({ error: { message: 'So says the provider.', type, param, code } });
const refused = (code: ErrorCode, param?: string): Told => ({ status: 400, type: 'invalid_request_error', code, ...(param !== undefined && { param }) });
const limited = (retryAfter: string): Told => ({ status: 429, type: 'requests', code: 'provider_rate_limited', retryAfter });
const FAILED: Told = { status: 502, type: 'api_error', code: 'upstream_error' };
const LATE: Told = { status: 504, type: 'api_error', code: 'upstream_timeout' };
const ALIVE: Learned = { deployment: 'alive' };
const FAILING: Learned = { deployment: 'failing' };
const NOTHING: Learned = { deployment: 'nothing' };

const answered = (code: number | null, error_code: ErrorCode): AttemptSaid => ({ status: code, outcome: 'error', error_code, usage_source: 'none' });
/** The provider was at work, and bills the prompt at least. */
const atWork = (code: number | null, error_code: ErrorCode): AttemptSaid => ({ ...answered(code, error_code), usage_source: 'estimated' });
const BROKEN: Pick<Fault, 'next' | 'attempt' | 'told' | 'learned'> = { next: 'same', attempt: atWork(200, 'upstream_error'), told: FAILED, learned: FAILING };

const rejected = (code: 401 | 403): Pick<Fault, 'kind' | 'does' | 'next' | 'attempt' | 'told'> => ({ kind: 'auth', does: status(code, {}, said('invalid_api_key')), next: 'other', attempt: answered(code, 'upstream_error'), told: FAILED });
const rate = (headers: Record<string, string>, forMs: number, told: Told): Omit<Fault, 'name'> => ({
  kind: 'rate',
  does: status(429, headers, said('rate_limit_exceeded', 'requests')),
  next: 'other',
  attempt: answered(429, 'provider_rate_limited'),
  told,
  learned: { deployment: 'nothing', credential: { trouble: 'rate_limited', forMs, guessed: Object.keys(headers).length === 0 } },
});
const spent = (code: number, error: object): Omit<Fault, 'name'> => ({
  kind: 'quota',
  does: status(code, {}, error),
  next: 'other',
  attempt: answered(code, 'provider_rate_limited'),
  told: limited('300'),
  learned: { deployment: 'nothing', credential: { trouble: 'exhausted', forMs: 300_000, guessed: true } },
});
const overloaded = (code: number): Fault => ({ kind: 'overloaded', name: `a ${code}`, does: status(code), next: 'same', attempt: answered(code, 'upstream_error'), told: FAILED, learned: FAILING });

const sse = (...events: string[]): Step => raw({ contentType: 'text/event-stream', body: events.map((data) => `data: ${data}\n\n`) });
const chunk = (delta: object, finish_reason: string | null = null): string => JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'gpt-4o-mini', choices: [{ index: 0, delta, finish_reason }] });
const errorEvent = (code: string | null): string => JSON.stringify(said(code, 'server_error'));

/** What an answer is blocked for. */
export const FORBIDDEN_WORD = 'nightingale';

export const FAULTS: readonly Fault[] = [
  { kind: 'caller', name: 'a 400', does: status(400, {}, said('unsupported_value', 'invalid_request_error', 'temperature')), next: 'nobody', attempt: answered(400, 'invalid_value'), told: refused('invalid_value', 'temperature'), learned: ALIVE },
  { kind: 'context_window', name: 'a 400 for the prompt’s length', does: status(400, {}, said('context_length_exceeded', 'invalid_request_error', 'messages')), next: 'nobody', attempt: answered(400, 'context_length_exceeded'), told: refused('context_length_exceeded', 'messages'), learned: ALIVE },
  { kind: 'content_policy', name: 'a 400 of the provider’s filter', does: status(400, {}, said('content_filter')), next: 'nobody', attempt: answered(400, 'content_policy_violation'), told: refused('content_policy_violation'), learned: ALIVE },
  { ...rejected(401), name: 'a 401', learned: { deployment: 'nothing', credential: { trouble: 'rejected', forMs: 60_000, guessed: true } } },
  // One may be about the model alone.
  { ...rejected(403), name: 'a 403', learned: NOTHING },
  { ...spent(429, said('insufficient_quota', 'insufficient_quota')), name: 'a 429 for an account without money' },
  { ...spent(402, said(null)), name: 'a 402' },
  { ...rate({ 'retry-after': '17' }, 17_000, limited('17')), name: 'a 429 with retry-after' },
  { ...rate({ 'retry-after-ms': '6400', 'retry-after': '7' }, 6400, limited('7')), name: 'a 429 with retry-after-ms' },
  { ...rate({}, 1000, limited('1')), name: 'a 429 that says nothing' },
  { kind: 'model', name: 'a 404', does: status(404, {}, said('model_not_found', 'invalid_request_error', 'model')), next: 'other', attempt: answered(404, 'model_not_found'), told: { status: 404, type: 'invalid_request_error', code: 'model_not_found', param: 'model' }, toldLast: FAILED, learned: ALIVE },
  overloaded(500),
  overloaded(503),
  overloaded(529),
  { ...BROKEN, kind: 'overloaded', name: 'an error event before any content', does: sse(chunk({ role: 'assistant', content: '' }), errorEvent(null)), forms: ['stream'] },
  { kind: 'timeout', name: 'silence', does: hang(), next: 'same', attempt: atWork(null, 'upstream_timeout'), told: LATE, learned: FAILING },
  { kind: 'network', name: 'a refused connection', does: 'refuse', next: 'same', attempt: answered(null, 'upstream_error'), told: FAILED, learned: FAILING },
  { kind: 'network', name: 'a connection reset before any answer', does: cut(), next: 'same', attempt: answered(null, 'upstream_error'), told: FAILED, learned: FAILING },
  { ...BROKEN, kind: 'malformed', name: 'an answer that is no JSON', does: malformed('json'), forms: ['whole'] },
  { ...BROKEN, kind: 'malformed', name: 'JSON that is no completion', does: raw({ contentType: 'application/json', body: '{"hello":"world"}' }) },
  { ...BROKEN, kind: 'malformed', name: 'a stream that ends without content', does: sse('[DONE]'), forms: ['stream'] },
  { ...BROKEN, kind: 'malformed', name: 'a stream whose first event is no JSON', does: sse('{"choices":[{"delta"'), forms: ['stream'] },
  { kind: 'cancelled', name: 'a client that leaves', does: hang(), leaves: true, next: 'nobody', attempt: { status: null, outcome: 'cancelled', error_code: null, usage_source: 'estimated' }, told: null, learned: NOTHING },
];

/** Under a rule for answers, which changes how all streams are read. */
export const BLOCKED: readonly Fault[] = FORMS.map((form) => ({
  kind: 'blocked',
  name: `an answer (${form}) that an own rule blocks`,
  does: answer(`The ${FORBIDDEN_WORD} sings.`),
  forms: [form],
  next: 'nobody',
  attempt: { status: 200, outcome: 'cancelled', error_code: null, usage_source: form === 'whole' ? 'upstream' : 'estimated' },
  told: refused('content_policy_violation'),
  learned: NOTHING,
}));

/** One way in which a stream can fail of which the client has a part already: its first chunk, `BEGINNING`, is out when the rest happens. */
export interface Break {
  kind: FailureKind;
  name: string;
  does: Step;
  /** Which piece waits until the client has the beginning; the second one unless said. */
  at?: number;
  /** The client goes away as soon as it has the beginning. */
  leaves?: boolean;
  /** What the last event says; null where the client is gone. */
  told: Pick<Told, 'type' | 'code'> | null;
  attempt: AttemptSaid;
  learned: Learned;
}

export const BEGINNING = 'The beginning. ';
const begun = chunk({ role: 'assistant', content: BEGINNING });
const more = chunk({ content: 'And more. ' });
const LOST: Pick<Break, 'told' | 'attempt' | 'learned'> = { told: FAILED, attempt: atWork(200, 'upstream_error'), learned: FAILING };

export const BREAKS: readonly Break[] = [
  { ...LOST, kind: 'network', name: 'a connection that breaks', does: cut(2, chunks([BEGINNING, 'And ', 'more.'])) },
  { ...LOST, kind: 'overloaded', name: 'an error event', does: sse(begun, errorEvent(null)) },
  { ...LOST, kind: 'timeout', name: 'silence', does: hang(2, chunks([BEGINNING, 'And ', 'more.'])), told: LATE, attempt: atWork(200, 'upstream_timeout') },
  { ...LOST, kind: 'malformed', name: 'an event that is no JSON', does: sse(begun, '{"choices":[{"delta"') },
  { ...LOST, kind: 'malformed', name: 'an end without [DONE]', does: sse(begun, more, chunk({}, 'stop')) },
  { ...LOST, kind: 'malformed', name: 'an end in the middle', does: sse(begun, more) },
  {
    kind: 'rate',
    name: 'an error event of a rate limit',
    does: sse(begun, errorEvent('rate_limit_exceeded')),
    told: limited('1'),
    attempt: atWork(200, 'provider_rate_limited'),
    learned: { deployment: 'nothing', credential: { trouble: 'rate_limited', forMs: 1000, guessed: true } },
  },
  { kind: 'cancelled', name: 'a client that leaves', does: hang(2, chunks([BEGINNING, 'And ', 'more.'])), leaves: true, told: null, attempt: { status: 200, outcome: 'cancelled', error_code: null, usage_source: 'estimated' }, learned: NOTHING },
];

/** The same under a rule for answers. */
export const BLOCKED_BREAKS: readonly Break[] = [
  { kind: 'blocked', name: 'text that an own rule blocks', does: chunks([BEGINNING, 'It goes on for a while. ', `The ${FORBIDDEN_WORD} sings. `, 'It is over.']), at: 2, told: refused('content_policy_violation'), attempt: { status: 200, outcome: 'cancelled', error_code: null, usage_source: 'estimated' }, learned: NOTHING },
];
