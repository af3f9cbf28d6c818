import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SseParser, sseEvent } from './sse.ts';

function parseAll(bytes: Buffer, cuts: number[]): { event: string | null; data: string }[] {
  const parser = new SseParser();
  const points = [...new Set([0, ...cuts.map((c) => c % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return points.slice(1).flatMap((end, i) => parser.push(bytes.subarray(points[i], end)));
}

/** The events of whole lines, one by one (WHATWG HTML, section 9.2.6). */
function eventsOf(lines: string[]): { event: string | null; data: string }[] {
  const events: { event: string | null; data: string }[] = [];
  let data: string[] = [];
  let event: string | null = null;
  for (const line of lines) {
    const [, field = line, value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    if (line === '') {
      if (data.length > 0) events.push({ event, data: data.join('\n') });
      [data, event] = [[], null];
    } else if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
  }
  return events;
}

describe('server-sent events', () => {
  test('any cut of the bytes, any line ending, gives the same events', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ lines: fc.array(fc.string({ unit: 'binary' }).map((s) => s.replace(/[\r\n]/g, '·')), { minLength: 1, maxLength: 3 }), name: fc.constantFrom(null, 'error') }), { maxLength: 6 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(), { maxLength: 30 }),
        (events, eol, cuts) => {
          const text = events.map((e) => `: comment${eol}${e.name ? `event: ${e.name}${eol}` : ''}${e.lines.map((l) => `data: ${l}${eol}`).join('')}${eol}`).join('');
          expect(parseAll(Buffer.from(text), cuts)).toEqual(events.map((e) => ({ event: e.name, data: Buffer.from(e.lines.join('\n')).toString() })));
        },
      ),
    );
  });

  test('whatever mixture of line endings there is, and wherever it is cut, lines are what the standard says', () => {
    const text = fc.array(fc.constantFrom('\r', '\n', '\r\n', 'data: ä', 'data:x', 'data', 'event: e', ': c', 'id: 1'), { maxLength: 30 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 20 }), (stream, cuts) => {
        expect(parseAll(Buffer.from(stream), cuts)).toEqual(eventsOf(stream.split(/\r\n|\r|\n/).slice(0, -1)));
      }),
    );
  });

  test('an event that was cut off is not an event', () => {
    expect(new SseParser().push(Buffer.from('data: {"a":1}\n'))).toEqual([]);
  });

  test('text with line breaks cannot forge an event', () => {
    const forged = 'x\n\ndata: [DONE]\r\rdata: y';
    expect(new SseParser().push(Buffer.from(sseEvent(forged)))).toEqual([{ event: null, data: forged.replace(/\r/g, '\n') }]);
  });

  test('a peer that never ends an event is stopped, however short its lines are', () => {
    const parser = new SseParser(1000);
    const lines = Buffer.from('data: 0123456789\n'.repeat(50));
    expect(() => {
      for (let i = 0; i < 10; i++) parser.push(lines);
    }).toThrow(RangeError);
  });

  test('a peer that never ends a line is stopped', () => {
    const parser = new SseParser(1000);
    expect(() => parser.push(Buffer.alloc(2000, 'a'))).toThrow(RangeError);
  });
});

test('an event of endless empty lines of data is broken off', () => {
  const parser = new SseParser(64 * 1024);
  expect(() => {
    for (let n = 0; n < 10_000; n++) parser.push(Buffer.from('data:\n'));
  }).toThrow(RangeError);
});
