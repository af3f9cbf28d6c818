import fc from 'fast-check';

export const BOUNDARY = 'fuzz-boundary-7MA4YWxk';

const field = (name: string, value: string): string => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (name: string, content: string, filename = 'a.bin'): string => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"; filename="${filename}"\r\ncontent-type: application/octet-stream\r\n\r\n${content}\r\n`;

const part = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('whisper', 'img', 'known', 'claude', 'größe', '\0', '').map((model) => field('model', model)) },
  { weight: 4, arbitrary: fc.nat(3000).map((size) => file('file', 'x'.repeat(size))) },
  { weight: 2, arbitrary: fc.constantFrom(file('image', 'PNG'), file('model', 'known'), file('file', '', 'ä.txt'), file('purpose', 'batch')) },
  { weight: 3, arbitrary: fc.constantFrom('batch', 'assistants', '', 'x'.repeat(2000)).map((purpose) => field('purpose', purpose)) },
  { weight: 2, arbitrary: fc.string({ maxLength: 30 }).map((prompt) => field('prompt', prompt)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      `--${BOUNDARY}\r\ncontent-disposition: form-data\r\n\r\nno name\r\n`,
      `--${BOUNDARY}\r\n\r\nno header\r\n`,
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="a"; name="model"\r\n\r\nknown\r\n`,
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name*=utf-8''model\r\n\r\nknown\r\n`,
      `--${BOUNDARY}\ncontent-disposition: form-data; name="model"\n\nknown\n`,
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name=model\r\nContent-Transfer-Encoding: base64\r\n\r\na25vd24=\r\n`,
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="a"\r\ncontent-length: 99\r\n\r\nx\r\n`,
      `--${BOUNDARY}--\r\n`,
      `--${BOUNDARY}x\r\n`,
      'garbage\r\n',
      `--${BOUNDARY}\r\n${'x-long: '.padEnd(20_000, 'y')}\r\n\r\nv\r\n`,
    ),
  },
);

const ending = fc.oneof({ weight: 8, arbitrary: fc.constant(`--${BOUNDARY}--\r\n`) }, { weight: 2, arbitrary: fc.constantFrom('', `--${BOUNDARY}--`, `--${BOUNDARY}--\r\nafter it`, `--${BOUNDARY}-`, '\r\n') });

/** A multipart body: fields and files in any order, sometimes no form at all. */
export const formBody: fc.Arbitrary<Buffer> = fc
  .tuple(fc.array(part, { maxLength: 5 }), ending, fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.tuple(fc.nat(5000), fc.uint8Array({ minLength: 1, maxLength: 4 })) }))
  .map(([parts, end, change]) => {
    const bytes = Buffer.from(parts.join('') + end, 'latin1');
    if (change === null || bytes.length === 0) return bytes;
    const at = change[0] % bytes.length;
    return Buffer.concat([bytes.subarray(0, at), change[1], bytes.subarray(at + change[1].length)]);
  });
