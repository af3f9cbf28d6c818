import { endOfString } from '../../validate/json-body.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
/** Members of a message stand inside the list and the message. */
const IN_MESSAGE = 2;

/**
 * The JSON text of a list of messages with the role `developer` as `system`, for servers that know only the older name
 * (OpenAI: developer messages replace system messages). The rest stays byte for byte.
 * @param messages text that `JSON.parse` has accepted as an array
 */
export function withoutDeveloperRole(messages: string): string {
  let out = '';
  let from = 0;
  let depth = 0;
  let name = '';
  let inValue = false;
  for (let i = 0; i < messages.length; i++) {
    const c = messages.charCodeAt(i);
    if (c === QUOTE) {
      const close = endOfString(messages, i);
      if (depth === IN_MESSAGE) {
        if (!inValue) name = stringAt(messages, i, close);
        else if (name === 'role' && stringAt(messages, i, close) === 'developer') {
          out += `${messages.slice(from, i)}"system"`;
          from = close + 1;
        }
      }
      i = close;
    } else if (OPENING.has(c)) depth++;
    else if (CLOSING.has(c)) depth--;
    else if (c === COLON || c === COMMA) inValue = c === COLON; // at any depth: what was nested ends before the next name
  }
  return out + messages.slice(from);
}

const stringAt = (text: string, open: number, close: number): string => JSON.parse(text.slice(open, close + 1)) as string;
