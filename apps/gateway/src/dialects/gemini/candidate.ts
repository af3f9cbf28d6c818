import { AttemptFailure } from '../../attempt/failure.ts';
import { isObject, objectsOf, textOf, type Candidate } from './generate-content.ts';

/** Gemini's reasons ("FinishReason" in the Gemini API reference) that are answers of the model or of a filter. */
const FINISH_REASONS: Readonly<Record<string, 'stop' | 'length' | 'content_filter'>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  LANGUAGE: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  MODEL_ARMOR: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  IMAGE_PROHIBITED_CONTENT: 'content_filter',
  IMAGE_RECITATION: 'content_filter',
};

/** What one reply or event adds to a choice: the fields of OpenAI's message or delta. */
export type Delta = Record<string, unknown>;

/**
 * Reads one candidate, whole or event by event: texts into `content`, thoughts into `reasoning_content`, calls into
 * `tool_calls`, pictures into `images`. Parts of other kinds are passed over.
 */
export class CandidateReader {
  private calls = 0;
  private images = 0;
  private hasText = false;
  private signature: string | null = null;
  private reason: 'stop' | 'length' | 'content_filter' | null = null;

  /**
   * @param idStem begins the ids of calls, which Gemini does not always name
   * @param onlyFirstCall the client allows no parallel calls
   */
  constructor(
    readonly index: number,
    private readonly idStem: string,
    private readonly onlyFirstCall: boolean,
  ) {}

  /** OpenAI's reason; null while Gemini has not said one. */
  get finish(): 'stop' | 'length' | 'content_filter' | 'tool_calls' | null {
    return this.reason === 'stop' && this.calls > 0 ? 'tool_calls' : this.reason;
  }

  /** Throws an AttemptFailure `malformed` when the candidate ended without being an answer (a call that is none, no reason told). */
  read(candidate: Candidate): Delta {
    const delta: Delta = {};
    const parts = isObject(candidate.content) ? objectsOf(candidate.content['parts']) : [];
    for (const part of parts) this.readPart(part, delta);
    const reason = textOf(candidate.finishReason);
    if (reason !== null && reason !== 'FINISH_REASON_UNSPECIFIED') this.end(reason);
    return delta;
  }

  /** What is to be said once, at the end: that there was no text, and the signature of the text. */
  closing(): Delta {
    return {
      ...(!this.hasText && this.calls === 0 && { content: '' }),
      ...(this.signature !== null && { extra_content: signed(this.signature) }),
    };
  }

  private readPart(part: Record<string, unknown>, delta: Delta): void {
    const isThought = part['thought'] === true;
    const text = textOf(part['text']);
    if (text !== null) append(delta, isThought ? 'reasoning_content' : 'content', text);
    const signature = textOf(part['thoughtSignature']);
    if (isObject(part['functionCall'])) this.readCall(part['functionCall'], signature, delta);
    else if (!isThought) {
      this.hasText ||= text !== null;
      this.readImage(part['inlineData'], delta);
      this.signature = signature ?? this.signature;
    }
  }

  private readCall(call: Record<string, unknown>, signature: string | null, delta: Delta): void {
    const name = textOf(call['name']);
    if (name === null || (this.onlyFirstCall && this.calls > 0)) return;
    const index = this.calls++;
    listed(delta, 'tool_calls').push({
      index,
      id: textOf(call['id']) ?? `${this.idStem}_${this.index}_${index}`,
      type: 'function',
      function: { name, arguments: JSON.stringify(isObject(call['args']) ? call['args'] : {}) },
      ...(signature !== null && { extra_content: signed(signature) }),
    });
  }

  private readImage(blob: unknown, delta: Delta): void {
    if (!isObject(blob)) return;
    const [mimeType, data] = [textOf(blob['mimeType']), textOf(blob['data'])];
    if (mimeType === null || data === null || !mimeType.startsWith('image/')) return;
    listed(delta, 'images').push({ index: this.images++, type: 'image_url', image_url: { url: `data:${mimeType};base64,${data}` } });
  }

  private end(reason: string): void {
    const finish = Object.hasOwn(FINISH_REASONS, reason) ? FINISH_REASONS[reason] : undefined;
    if (finish === undefined) throw new AttemptFailure('malformed', { cause: new Error(`the candidate ended with ${reason}`) });
    this.reason = finish;
  }
}

function append(delta: Delta, name: string, text: string): void {
  const known = delta[name];
  delta[name] = typeof known === 'string' ? known + text : text;
}

function listed(delta: Delta, name: string): unknown[] {
  const known = delta[name];
  if (Array.isArray(known)) return known;
  const list: unknown[] = [];
  delta[name] = list;
  return list;
}

/** Where Google's own OpenAI-compatible endpoint puts a signature. */
const signed = (signature: string): object => ({ google: { thought_signature: signature } });

/** `logprobsResult` in OpenAI's words; null when there is none. */
export function logprobsOf(candidate: Candidate): { content: object[]; refusal: null } | null {
  if (!isObject(candidate.logprobsResult)) return null;
  const chosen = objectsOf(candidate.logprobsResult['chosenCandidates']);
  const top = objectsOf(candidate.logprobsResult['topCandidates']);
  if (chosen.length === 0) return null;
  return { content: chosen.map((one, step) => ({ ...tokenOf(one), top_logprobs: objectsOf(top[step]?.['candidates']).map(tokenOf) })), refusal: null };
}

function tokenOf(one: Record<string, unknown>): { token: string; logprob: number; bytes: number[] } {
  const token = textOf(one['token']) ?? '';
  return { token, logprob: typeof one['logProbability'] === 'number' ? one['logProbability'] : 0, bytes: [...Buffer.from(token)] };
}
