import { trace } from '@opentelemetry/api';
import { describe, expect, test } from '@jest/globals';
import type { Principal } from '@deja/contracts';
import { Operation } from './operation.ts';
import { tagsOf } from './request-headers.ts';

const operationWith = (header: string | undefined, tags: Record<string, string>): Operation => {
  const operation = new Operation('chat/completions', {}, trace.getTracer('test').startSpan('request'), '192.0.2.1');
  operation.requestTags = tagsOf(header);
  operation.principal = { tenant: 'acme', key: 'k', tags } as unknown as Principal;
  return operation;
};

describe('tags of an operation', () => {
  test('are those of its key and those that the request adds', () => {
    expect(operationWith('feature=b', { team: 'a' }).opening().tags).toEqual({ team: 'a', feature: 'b' });
    expect(operationWith(undefined, { team: 'a' }).opening().tags).toEqual({ team: 'a' });
  });

  test('that the key has are not changed by a request', () => {
    expect(operationWith('team=evil,feature=b', { team: 'a' }).tags).toEqual({ team: 'a', feature: 'b' });
  });

  test('are at most 16 of the request, beside the key\'s', () => {
    const many = (count: number): string => Array.from({ length: count }, (_, i) => `t${i}=1`).join(',');
    expect(Object.keys(operationWith(many(16), { team: 'a' }).tags)).toHaveLength(17);
    expect(() => tagsOf(many(17))).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'x-deja-tags' }));
  });
});
