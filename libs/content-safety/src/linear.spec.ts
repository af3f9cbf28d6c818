import { AnswerGuard } from './answer-guard.ts';
import { Inspector } from './inspector.ts';
import { safetyRules } from './safety-rules.ts';
import { safetySchema } from './safety-schema.ts';

const { rules } = safetyRules(safetySchema.parse({
  deny: [{ pattern: '(?i)(a|b){1,50}c', action: 'redact', on: 'both' }, { pattern: '(x+x+)+y', on: 'both' }],
  secrets: { prompts: 'redact', answers: 'redact' },
  pii: { prompts: 'redact', answers: 'redact' },
  detectors: { assigned_secret: { prompts: 'redact', answers: 'redact' } },
}));

/** Texts made to be read over and over again: each repeats a beginning of a match that never comes, or comes everywhere. */
const UNITS = [
  'sk-', 'sk- ', 'sk-ant-', '\\nsk-', '%3Dsk-', 'AIza', 'AKIA', 'ghp_', 'github_pat_', 'xoxb-1', 'eyJ', 'eyJ.', 'eyJhbGci.', '.', '-----', '-----BEGIN ', '-----BEGIN PRIVATE KEY-----',
  '-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n', '-----END PRIVATE KEY-----', 'password=', 'password:', 'password: a1b2c3d4=', 'api_key = "', '=', ':', '::', 'token:=', '://', '://a:b', 'a@', '@', 'a@b.', 'a@b.co ', '.@',
  '4111 ', '4111111111111111 ', '4', '1 ', '1-', '0 ', '1.', '1.2.3.4 ', '1.2.3.4.', 'fe80::1 ', 'ab:', '123-45-', '123-45-6789 ', '+49 30 123456 ', '+1', '(415) ', '030 123456 ', 'GB29', 'GB29 ', 'GB29 NWBK ', 'AB123456', 'AB 12 34 56 C ',
  '[redacted:email]', '[redacted:', '[redacted:email] a@b.co ', '[redacted:deny[0]]abc', 'abc', 'x', 'ab', ' ', '\n', '. ', '。', 'é', '😀',
];

function work(text: string): number {
  const inspector = new Inspector(rules);
  inspector.inspect(text, 'prompts');
  return inspector.steps;
}

test.each(UNITS)('a megabyte of %j is eight times the work of an eighth of it', (unit) => {
  const eighth = unit.repeat(Math.ceil(131_072 / unit.length));
  const whole = eighth.repeat(8);
  const steps = work(whole);
  expect(steps / work(eighth)).toBeLessThan(8.4);
  expect(steps / whole.length).toBeLessThan(300);
});

test.each(UNITS)('streaming 16 KB of %j, a few characters at a time, reads each character a bounded number of times', (unit) => {
  const inspector = new Inspector(rules);
  const guard = new AnswerGuard(inspector);
  const text = unit.repeat(Math.ceil(16_384 / unit.length));
  for (let at = 0; at < text.length; at += 7) guard.push(text.slice(at, at + 7));
  guard.flush();
  expect(inspector.steps / text.length).toBeLessThan(1000);
});
