import { isUtf8 } from 'node:buffer';
import { DejaError } from '@deja/contracts';

const MAX_USER_CHARS = 512;

/** The end user: the header, else what the body says. Never shortened, because answers and limits are kept apart by it; a longer one is a 400. */
export function userOf(header: string | undefined, inBody: string | null): string | null {
  const [user, param] = header === undefined || header === '' ? [inBody, 'user'] : [header, 'x-deja-user'];
  if (user !== null && user.length > MAX_USER_CHARS) throw new DejaError('invalid_value', `Invalid value for '${param}': at most ${MAX_USER_CHARS} characters.`, { param });
  return user === '' ? null : user;
}

/** A header's text. HTTP hands bytes over as Latin-1; clients mean UTF-8, so what is valid UTF-8 is read as that. */
export function headerText(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? value.join(',') : value;
  if (text === undefined || /^[\x20-\x7e]*$/.test(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : text;
}

const MAX_TAGS = 16;
const MAX_TAG_CHARS = 128;

/** `x-deja-tags: team=a,feature=b`; throws a 400 when it is not that. */
export function tagsOf(header: string | undefined): Record<string, string> {
  if (header === undefined) return {};
  const pairs = header.split(',').map((pair) => pair.trim()).filter((pair) => pair !== '');
  const tags = pairs.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1 || pair.length > MAX_TAG_CHARS) throw new DejaError('invalid_value', `Invalid value for header 'x-deja-tags': expected k=v,k=v with at most ${MAX_TAG_CHARS} characters each.`, { param: 'x-deja-tags' });
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const;
  });
  if (tags.length > MAX_TAGS) throw new DejaError('invalid_value', `Invalid value for header 'x-deja-tags': at most ${MAX_TAGS} tags.`, { param: 'x-deja-tags' });
  return Object.fromEntries(tags);
}
