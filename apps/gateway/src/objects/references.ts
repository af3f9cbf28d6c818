import { DejaError } from '@deja/contracts';

/** What an id in a request body names. Of these, deja keeps the owner of files, responses, and of the items and spoken answers in them (and of batches, which no body names). */
export type ReferenceKind = 'file' | 'response' | 'item' | 'audio' | 'conversation' | 'vector_store' | 'container' | 'skill';

/** One id of something that a provider keeps, and where the body names it: `input[0].content[1].file_id`. */
export interface Reference {
  kind: ReferenceKind;
  id: string;
  path: string;
}

/** As deep as a request body may be nested (validate/json-body.ts). */
const MAX_DEPTH = 128;
/** More than any call needs: each of them has to be looked up. */
const MAX_REFERENCES = 1000;

/** Members that name one object, wherever they stand. */
const ONE: Record<string, ReferenceKind> = {
  file_id: 'file',
  input_file_id: 'file',
  comparison_response_id: 'response',
  vector_store_id: 'vector_store',
  container_id: 'container',
  container: 'container',
  skill_id: 'skill',
};
/** Members that name several. */
const MANY: Record<string, ReferenceKind> = { file_ids: 'file', vector_store_ids: 'vector_store' };
/** Members that name one object only at the top of a body. */
const AT_TOP: Record<string, ReferenceKind> = { previous_response_id: 'response', conversation: 'conversation', training_file: 'file', validation_file: 'file' };

/** Items that a provider fetches by their `id`, unless they carry one of these members themselves. */
const FETCHED_ITEMS: Record<string, readonly string[]> = {
  item_reference: [],
  reasoning: ['encrypted_content', 'content'],
  image_generation_call: ['result'],
  file_search_call: ['results'],
};
/** Reasoning of a translated response (responses/response-object.ts, itemId): no provider keeps it. */
const OWN_REASONING = /^rs_[0-9a-f]{34}$/;

/** The client's own words and schemas: an id in them is text that no provider follows. */
const OWN_WORDS = new Set(['metadata', 'parameters', 'schema', 'json_schema', 'input_schema', 'output_schema', 'arguments', 'headers', 'attributes']);
/** What a model once answered, sent back: these say where something was found and are not followed either. */
const QUOTED: Record<string, string> = { output_text: 'annotations', file_search_call: 'results' };

/**
 * Every id in a request body by which a provider would fetch something it keeps, in the order of the body (OpenAI API reference, request bodies
 * of chat completions, responses, batches, images and fine-tuning jobs; "Conversation state", "Image generation" and "Audio" guides). One pass. Left out:
 * ids of items that stand there in full, which nothing is fetched by; `prompt.id`, which is made on the provider's pages. Throws `invalid_value` for a
 * body nested absurdly deep, or with more than 1,000 of them.
 */
export function referencedIds(body: Record<string, unknown>): Reference[] {
  const found: Reference[] = [];
  const steps: (string | number)[] = [];

  const add = (kind: ReferenceKind, id: unknown, ...last: (string | number)[]): void => {
    if (typeof id !== 'string' || id === '') return;
    if (found.length >= MAX_REFERENCES) throw new DejaError('invalid_value', `The request names more than ${MAX_REFERENCES} stored objects.`, { param: pathText([...steps, ...last]) });
    found.push({ kind, id, path: pathText([...steps, ...last]) });
  };

  const member = (name: string, value: unknown): void => {
    const top = steps.length === 0 ? kindOf(AT_TOP, name) : undefined;
    const one = top ?? kindOf(ONE, name);
    const many = kindOf(MANY, name);
    if (one !== undefined) add(one, value, name);
    if (name === 'audio' && steps[0] === 'messages' && steps.length === 2 && isRecord(value)) add('audio', value['id'], name, 'id');
    if (top === 'conversation' && isRecord(value)) add(top, value['id'], name, 'id');
    if (many !== undefined && Array.isArray(value)) for (const [index, id] of value.entries()) add(many, id, name, index);
  };

  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (steps.length > MAX_DEPTH) throw new DejaError('invalid_value', `The request body is nested deeper than ${MAX_DEPTH} levels.`);
    if (!isRecord(value)) {
      const items = value as unknown[];
      for (let i = 0; i < items.length; i++) into(i, items[i]);
      return;
    }
    const { type } = value;
    if (isFetchedItem(value, steps.length === 2 && steps[0] === 'input')) add('item', value['id'], 'id');
    const quoted = typeof type === 'string' && Object.hasOwn(QUOTED, type) ? QUOTED[type] : undefined;
    // The names under `prompt.variables` are the client's own; what they stand for may be a file.
    const isNamedByClient = steps.length === 2 && steps[0] === 'prompt' && steps[1] === 'variables';
    for (const name of Object.keys(value)) {
      if (!isNamedByClient) {
        if (OWN_WORDS.has(name) || name === quoted) continue;
        member(name, value[name]);
      }
      into(name, value[name]);
    }
  };

  const into = (step: string | number, inner: unknown): void => {
    if (typeof inner !== 'object') return; // most of what stands in a body is text
    steps.push(step);
    walk(inner);
    steps.pop();
  };

  walk(body);
  return found;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether only its id stands here for an item. In `input` one without type and role is a reference, too. */
function isFetchedItem(item: Record<string, unknown>, isInInput: boolean): boolean {
  const { type, role, id } = item;
  if (typeof type !== 'string') return isInInput && typeof role !== 'string';
  const carried = Object.hasOwn(FETCHED_ITEMS, type) ? FETCHED_ITEMS[type] : undefined;
  if (carried === undefined || (type === 'reasoning' && typeof id === 'string' && OWN_REASONING.test(id))) return false;
  return !carried.some((name) => (typeof item[name] === 'string' || Array.isArray(item[name])) && (item[name] as { length: number }).length > 0);
}

const kindOf = (names: Record<string, ReferenceKind>, name: string): ReferenceKind | undefined => (Object.hasOwn(names, name) ? names[name] : undefined);

const pathText = (steps: readonly (string | number)[]): string =>
  steps.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`), '');
