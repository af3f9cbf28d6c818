import { MEMBER_NAMES, SETTING_NAMES, SETTING_VALUES } from './shape-words.ts';

/** What stands in place of something that is not looked into. */
const LEFT_OUT = { left_out: true };
/** Token by token, lengths alone would tell what was said. */
const TOKEN_BY_TOKEN = new Set(['logprobs', 'top_logprobs']);
/** A name of a model is in the ledger anyway. */
const MODEL_NAME = /^[\w.:@/+-]{1,128}$/;

const MOST_DEPTH = 64;
const MOST_VALUES = 20_000;

/**
 * A body's JSON without what anybody wrote in it: structure, numbers, booleans and settings (roles, types, reasons: words of the API's own) stay; any other
 * text becomes `{"chars": n}` (UTF-16 units), a list of numbers (tokens, vectors) `{"numbers": n}`, a name that is none of the API's `(n chars)`.
 * What lies deeper than 64 levels, or comes after 20,000 values, is left out and says so.
 */
export function shapeOf(value: unknown): unknown {
  const shaper = new Shaper();
  if (!isObject(value)) return shaper.shape(value, '', 0);
  const shape = shaper.shape(value, '', 0) as Record<string, unknown>;
  const { model } = value;
  return typeof model === 'string' && MODEL_NAME.test(model) ? { ...shape, model } : shape;
}

class Shaper {
  private left = MOST_VALUES;

  shape(value: unknown, name: string, depth: number): unknown {
    if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
    if (typeof value === 'string') return SETTING_NAMES.has(name) && SETTING_VALUES.has(value) ? value : { chars: value.length };
    this.left--;
    if (depth > MOST_DEPTH || this.left < 0 || TOKEN_BY_TOKEN.has(name)) return LEFT_OUT;
    if (Array.isArray(value)) return this.list(value, name, depth);
    return typeof value === 'object' ? this.members(value as Record<string, unknown>, depth) : LEFT_OUT;
  }

  private list(items: unknown[], name: string, depth: number): unknown {
    if (items.length > 0 && items.every((item) => typeof item === 'number')) return { numbers: items.length };
    const shapes: unknown[] = [];
    for (const item of items) {
      this.left--;
      if (this.left < 0) return [...shapes, LEFT_OUT];
      shapes.push(this.shape(item, name, depth + 1));
    }
    return shapes;
  }

  private members(object: Record<string, unknown>, depth: number): Record<string, unknown> {
    const shape: Record<string, unknown> = {};
    const told = new Map<string, number>();
    for (const [name, value] of Object.entries(object)) {
      this.left--;
      if (this.left < 0) return { ...shape, ...LEFT_OUT };
      shape[nameFor(name, told)] = this.shape(value, name, depth + 1);
    }
    return shape;
  }
}

/** The name, or how long it is: numbered where another one was as long. */
function nameFor(name: string, told: Map<string, number>): string {
  if (MEMBER_NAMES.has(name)) return name;
  const length = `(${name.length} chars)`;
  const before = told.get(length) ?? 0;
  told.set(length, before + 1);
  return before === 0 ? length : `${length} ${before + 1}`;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
