export const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Deeper nesting is in no request that anybody means, and would exhaust the stack of whatever walks it. */
const DEEPEST = 100;
/** A number that may have more digits than a double keeps. */
const LONG_NUMBER = /\d{16}|\d[eE][+-]?\d/;

/** undefined: it is none, or is nested too deeply. */
export function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isDeeper(value, DEEPEST) ? undefined : value;
  } catch {
    return undefined;
  }
}

/**
 * JSON text of a member of an object that `text` is, with the digits that its numbers had there.
 * (`context.source` and `JSON.rawJSON`: ECMAScript proposal "JSON.parse source text access", in V8 since 11.4.)
 */
export function memberText(text: string, name: string, value: unknown): string {
  if (!LONG_NUMBER.test(text)) return JSON.stringify(value);
  const { rawJSON } = JSON as unknown as { rawJSON: (source: string) => unknown };
  const exact = (_key: string, read: unknown, context: { source?: string }): unknown => (typeof read === 'number' && context.source !== undefined ? rawJSON(context.source) : read);
  const whole = JSON.parse(text, exact as Parameters<typeof JSON.parse>[1]) as Record<string, unknown>;
  return JSON.stringify(whole[name]);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1));
}
