import type { ChatBody, ChatMessage } from '../../chat/chat-request.ts';
import type { ProviderCall, TranslationContext } from '../dialect.ts';
import { droppedParams } from '../params.ts';
import { functionTools } from './function-declarations.ts';
import { isObject, textOf, type Content, type Part } from './generate-content.ts';
import { generationConfig, serviceTier } from './generation-config.ts';
import { mediaPart } from './media-part.ts';
import { generationOf, modelPath } from './model-name.ts';
import { geminiParams } from './params.ts';

/**
 * What a call without a signature carries where Gemini 3 requires one: the history of another model has none ("Thought
 * signatures", section "FAQs").
 */
export const NO_SIGNATURE = 'skip_thought_signature_validator';

/** A chat completion request as `generateContent` or `streamGenerateContent` (server-sent events). Never throws. */
export function generateContentCall(body: ChatBody, context: TranslationContext, apiVersion: string | null): ProviderCall {
  const leftOut: string[] = [];
  const { system, contents } = new Conversation(context.upstreamModel, leftOut).of(body.messages);
  const config = generationConfig(body, context, leftOut);
  const tier = serviceTier(body['service_tier'], leftOut);
  const request = {
    ...(system.length > 0 && { systemInstruction: { parts: system } }),
    contents,
    ...functionTools(body, leftOut),
    ...(Object.keys(config).length > 0 && { generationConfig: config }),
    ...(tier !== null && { serviceTier: tier }),
  };
  return {
    path: modelPath(apiVersion, context.upstreamModel, context.stream ? 'streamGenerateContent?alt=sse' : 'generateContent'),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
    dropped: [...droppedParams(geminiParams, body), ...leftOut],
  };
}

/** `brings` tells turns of the same role apart that must not become one: the results of calls stand alone. */
type Turn = Content & { brings: 'text' | 'results' };

/** Puts the messages of one request into turns. */
class Conversation {
  private readonly turns: Turn[] = [];
  private readonly system: Part[] = [];
  private readonly functionNames = new Map<string, string>();
  private readonly wantsSignature: boolean;

  /** @param leftOut gets the place of every part that Gemini cannot be given */
  constructor(
    model: string,
    private readonly leftOut: string[],
  ) {
    this.wantsSignature = (generationOf(model) ?? 3) >= 3;
  }

  of(messages: ChatMessage[]): { system: Part[]; contents: Content[] } {
    messages.forEach((message, index) => this.take(message, `messages[${index}]`));
    // Gemini wants at least one turn, and the first to be the user's
    if (this.turns.length === 0 && this.system.length > 0) this.turns.push({ role: 'user', brings: 'text', parts: this.system.splice(0) });
    if (this.turns[0]?.role !== 'user') this.turns.unshift({ role: 'user', brings: 'text', parts: [{ text: ' ' }] });
    return { system: this.system, contents: this.turns.map(({ role, parts }) => ({ role, parts })) };
  }

  private take(message: ChatMessage, at: string): void {
    switch (message.role) {
      case 'system':
      case 'developer':
        this.system.push(...this.partsOf(message.content, at, () => null));
        break;
      case 'user':
        this.add('user', 'text', this.partsOf(message.content, at, mediaPart));
        break;
      case 'assistant':
        this.add('model', 'text', this.modelParts(message, at));
        break;
      default:
        this.add('user', 'results', [this.functionResponse(message, at)]);
    }
  }

  private add(role: Turn['role'], brings: Turn['brings'], parts: Part[]): void {
    const last = this.turns.at(-1);
    if (parts.length === 0) return;
    if (last?.role === role && last.brings === brings) last.parts.push(...parts);
    else this.turns.push({ role, brings, parts });
  }

  /** Text as it is, other parts as `media` says; empty text says nothing and is refused by Gemini. */
  private partsOf(content: ChatMessage['content'], at: string, media: (part: Record<string, unknown>) => Part | null): Part[] {
    if (typeof content === 'string') return content === '' ? [] : [{ text: content }];
    return (content ?? []).flatMap((part, index) => {
      if (part.type === 'text' || part.type === 'refusal') return textOf(part[part.type]) === null ? [] : [{ text: String(part[part.type]) }];
      const other = media(part);
      if (other === null) this.leftOut.push(`${at}.content[${index}]`);
      return other === null ? [] : [other];
    });
  }

  private modelParts(message: ChatMessage, at: string): Part[] {
    const texts = this.partsOf(message.content, at, () => null);
    const signature = signatureIn(message);
    const last = texts.at(-1);
    if (last && signature !== null) last.thoughtSignature = signature;
    const legacy = isObject(message['function_call']) ? [{ function: message['function_call'] }] : [];
    const calls = [...(message.tool_calls ?? []), ...legacy].flatMap((call) => this.functionCall(call));
    const first = calls[0];
    if (first && first.thoughtSignature === undefined && this.wantsSignature) first.thoughtSignature = NO_SIGNATURE;
    return [...texts, ...calls];
  }

  private functionCall(call: Record<string, unknown>): Part[] {
    const called = isObject(call['function']) ? call['function'] : call['custom'];
    const name = isObject(called) ? textOf(called['name']) : null;
    if (name === null || !isObject(called)) return [];
    const id = textOf(call['id']);
    if (id !== null) this.functionNames.set(id, name);
    const signature = signatureIn(call);
    const args = 'input' in called ? { input: called['input'] } : argumentsOf(called['arguments']);
    return [{ functionCall: { ...(id !== null && { id }), name, args }, ...(signature !== null && { thoughtSignature: signature }) }];
  }

  private functionResponse(message: ChatMessage, at: string): Part {
    const id = textOf(message.tool_call_id);
    const name = (id !== null && this.functionNames.get(id)) || textOf(message.name) || 'function';
    const text = this.partsOf(message.content, at, () => null).map((part) => part.text).join('\n');
    return { functionResponse: { ...(id !== null && { id }), name, response: responseOf(text) } };
  }
}

/** Where Google's own OpenAI-compatible endpoint puts a signature ("Thought signatures", section "OpenAI compatibility"). */
function signatureIn(carrier: Record<string, unknown>): string | null {
  const extra = carrier['extra_content'];
  return isObject(extra) && isObject(extra['google']) ? textOf(extra['google']['thought_signature']) : null;
}

/** Arguments of an earlier call. A model may have written what is no JSON object; it is still told what it wrote. */
function argumentsOf(text: unknown): Record<string, unknown> {
  if (isObject(text)) return text;
  if (typeof text !== 'string' || text.trim() === '') return {};
  return objectIn(text) ?? { arguments: text };
}

/** A result as the object that Gemini wants; a text that is none, or would lose digits on the way, as it stands. */
function responseOf(text: string): Record<string, unknown> {
  const object = objectIn(text);
  return object !== null && keepsDigits(object) ? object : { result: text };
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null; // plain text
  }
}

const keepsDigits = (value: unknown): boolean => {
  if (typeof value === 'number') return Number.isSafeInteger(value) || !Number.isInteger(value);
  if (Array.isArray(value)) return value.every(keepsDigits);
  return !isObject(value) || Object.values(value).every(keepsDigits);
};
