import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '@deja/config';
import { configObject } from './config-object.ts';

function shown(yaml: string): Record<string, unknown> {
  const parsed = parseConfig(yaml, { openaiApiKeys: [], openaiBaseUrl: null, variables: {} });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return configObject(parsed.config);
}

describe('how e-mail is sent', () => {
  test.each([
    ['smtps://planted-user:planted-password@mail.example.com:465', 'smtps://[secret]@mail.example.com:465'],
    ['smtp://mail.internal:25', 'smtp://mail.internal:25'],
    ['smtp://planted-user:pla#nted@mail.example.com', '[secret]'],
  ])('is shown without user and password: %s', (url, masked) => {
    const { smtp } = shown(`smtp: { url: "${url}", from: deja@example.com }`);
    expect(smtp).toEqual({ url: masked, from: 'deja@example.com' });
  });
});

test('what a configuration says of the request log is spelled as deja.yaml has it', () => {
  expect(shown('retention_days: 7\ncapture: metadata\nrequest_log: { search: true }')).toMatchObject({ retention_days: 7, capture: 'metadata', request_log: { search: true } });
});
