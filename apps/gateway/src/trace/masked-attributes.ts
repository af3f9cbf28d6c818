import type { Attributes } from '@opentelemetry/api';
import { masked } from '@deja/telemetry';

/** Something of this is in whatever `masked` would mask for its shape. Most attributes have none, and cost no more than this look. */
const MAY_BE_SECRET = /sk-|eyJ|AKIA|AIza|gh[pousr]_|xox|bearer|basic|private key|:\/\/|api-?key|[-_?&](?:key|token|sig)|secret|pass/i;

/** Text of a span, without what looks like a secret: a client may take its key for a model or for an id. */
export const maskedText = (text: string): string => (MAY_BE_SECRET.test(text) ? masked(text) : text);

/** The same for each attribute that is a text. */
export function maskedAttributes(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, typeof value === 'string' ? maskedText(value) : value]));
}
