import fc from 'fast-check';
import { IN_CONTEXT, ORDINARY, POSITIVES, pem } from './samples.ts';

export const secrets = Object.values(POSITIVES).flat();
const prose = ORDINARY.flatMap((text) => text.split(/(?<=[.;,!。] ?)/));
const glue = ['', '', ' ', ' ', '. ', ', ', '\n', '! ', '? ', '。', '-', '/', '=', ':', '"', "'", '(', ')', '[', ']', '\\n', '@', '+', '.', '1', 'a', '_', 'é', '漢', '😀'];
const fragments = ['sk-', 'sk-proj-', '-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----', '-----', 'eyJ', '4111 1111 ', '+49 30 ', 'password: ', 'api_key = ', 'AKIA', 'DE89 3704 ', 'ada@', '@example.com', '://u:', '[redacted:', '[redacted:email]', '[redacted:falcon]', 'Project ', 'Falcon', pem('PRIVATE KEY', 2).slice(0, 120)];

/** Texts made of secrets, parts of secrets, prose and what may stand between them. */
export const mixedText = fc
  .array(fc.oneof(fc.constantFrom(...secrets), fc.constantFrom(...IN_CONTEXT.map(([, text]) => text)), fc.constantFrom(...prose), fc.constantFrom(...glue), fc.constantFrom(...glue), fc.constantFrom(...fragments), fc.string({ maxLength: 6 })), { maxLength: 24 })
  .map((parts) => parts.join(''));
