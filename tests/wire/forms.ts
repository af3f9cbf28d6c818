import { bearer, row, type BadInput, type Known } from './bad-input.ts';

const BOUNDARY = 'wire-boundary';
const part = (header: string, value: string): string => `--${BOUNDARY}\r\n${header}\r\n\r\n${value}\r\n`;
const field = (name: string, value: string): string => part(`content-disposition: form-data; name="${name}"`, value);
const file = (name: string, content: string): string => part(`content-disposition: form-data; name="${name}"; filename="a.wav"\r\ncontent-type: audio/wav`, content);
const END = `--${BOUNDARY}--\r\n`;
const MODEL = field('model', 'known');
const PURPOSE = field('purpose', 'assistants');
const SOUND = file('file', 'RIFF');
const REFUSED = { status: 400, code: 'invalid_value' };

/** Forms that are none. What decides where they go stands before what is wrong or after it. */
const BROKEN: [name: string, body: string | Buffer][] = [
  ['nothing', ''],
  ['another boundary', `--other\r\ncontent-disposition: form-data; name="model"\r\n\r\nknown\r\n--other--\r\n`],
  ['something before the first boundary', `preamble\r\n${MODEL}${SOUND}${END}`],
  ['something behind the last boundary', `${MODEL}${SOUND}${END}epilogue`],
  ['no last boundary', MODEL + SOUND],
  ['half a last boundary', `${MODEL}${SOUND}--${BOUNDARY}-`],
  ['a boundary that goes on', `${MODEL}--${BOUNDARY}x\r\n${SOUND}${END}`],
  ['lines that end in a line feed alone', `${MODEL}${SOUND}${END}`.replaceAll('\r\n', '\n')],
  ['a part without a header', `--${BOUNDARY}\r\n\r\nvalue\r\n${MODEL}${SOUND}${END}`],
  ['a part that is nothing but a boundary', `--${BOUNDARY}\r\n${MODEL}${SOUND}${END}`],
  ['a part without disposition', `${part('content-type: text/plain', 'known')}${MODEL}${SOUND}${END}`],
  ['a disposition of another kind', `${part('content-disposition: attachment; name="model"', 'known')}${SOUND}${END}`],
  ['a part without a name', `${part('content-disposition: form-data', 'known')}${MODEL}${SOUND}${END}`],
  ['a part with an empty name', `${part('content-disposition: form-data; name=""', 'known')}${MODEL}${SOUND}${END}`],
  ['a part with two names', `${part('content-disposition: form-data; name="a"; name="model"', 'known')}${SOUND}${END}`],
  ['a part with an encoded name', `${part("content-disposition: form-data; name*=utf-8''model", 'known')}${SOUND}${END}`],
  ['a name with an escape in it', `${part(String.raw`content-disposition: form-data; name="mo\del"`, 'known')}${MODEL}${SOUND}${END}`],
  ['a name that is too long', `${field('x'.repeat(300), '1')}${MODEL}${SOUND}${END}`],
  ['a name that is not closed', `${part('content-disposition: form-data; name="model', 'known')}${SOUND}${END}`],
  ['two dispositions', `${part('content-disposition: form-data; name="model"\r\ncontent-disposition: form-data; name="x"', 'known')}${SOUND}${END}`],
  ['a header without a colon', `${part('content-disposition: form-data; name="a"\r\nnothing', '1')}${MODEL}${SOUND}${END}`],
  ['a folded header', `${part('content-disposition: form-data;\r\n name="a"', '1')}${MODEL}${SOUND}${END}`],
  ['a header with a NUL in it', `${part('content-disposition: form-data; name="a\0"', '1')}${MODEL}${SOUND}${END}`],
  ['a header that is too long', `${part(`content-disposition: form-data; name="a"\r\nx: ${'y'.repeat(20_000)}`, '1')}${MODEL}${SOUND}${END}`],
  ['a field in base64', `${part('content-disposition: form-data; name="model"\r\ncontent-transfer-encoding: base64', 'a25vd24=')}${SOUND}${END}`],
  ['a field in another charset', `${part('content-disposition: form-data; name="model"\r\ncontent-type: text/plain; charset=utf-16', 'known')}${SOUND}${END}`],
  ['fields in another charset', `${field('_charset_', 'latin1')}${MODEL}${SOUND}${END}`],
  ['a field that is no UTF-8', Buffer.from(`${field('prompt', '\xff')}${MODEL}${SOUND}${END}`, 'latin1')],
  ['a model that is a file', `${file('model', 'known')}${SOUND}${END}`],
  ['a file without a name', `${part('content-disposition: form-data; name="file"; filename=""', 'RIFF')}${MODEL}${END}`],
  ['300 parts', Array.from({ length: 300 }, (_, i) => field(`f${i}`, '1')).join('') + MODEL + SOUND + END],
  ['a field that is too long', `${field('prompt', 'x'.repeat(1_100_000))}${MODEL}${SOUND}${END}`],
  ['two models', `${MODEL}${field('model', 'other')}${SOUND}${END}`],
  ['JSON', '{"model":"known"}'],
  ['zeros', Buffer.alloc(100)],
];

const TYPES = ['multipart/form-data', 'multipart/form-data;', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=""', `multipart/form-data; boundary="${BOUNDARY}`, `multipart/form-data; boundary=${BOUNDARY}; boundary=x`, `multipart/form-data; boundary=${'x'.repeat(71)}`, 'multipart/form-data; boundary=a b', 'multipart/form-data; boundary="a\tb"', 'multipart/form-data boundary=x', 'multipart/form-data; boundary=<x>', 'multipart/form-data; charset=utf-8'];
const MODELS: [name: string, value: string, status: number, code: string][] = [
  ['an unknown model', 'nope', 404, 'model_not_found'],
  ['an empty model', '', 400, 'invalid_value'],
  ['a model that is too long', 'x'.repeat(300), 400, 'invalid_value'],
  ['a model with a NUL in its name', 'kno\0wn', 404, 'model_not_found'],
  ['a model with a line break in its name', 'known\r\nx-injected: 1', 404, 'model_not_found'],
  ['a model named __proto__', '__proto__', 404, 'model_not_found'],
];

/** Uploads and calls with a file, in forms that are broken, or say nothing that can be routed. */
export function forms({ key }: Known): BadInput[] {
  const sent = (name: string, path: string, body: string | Buffer, expected: Omit<BadInput, 'name' | 'bytes'> = REFUSED, type = `multipart/form-data; boundary=${BOUNDARY}`): BadInput =>
    row(`form at ${path}: ${name}`, { target: `/v1/${path}`, headers: [bearer(key), ['content-type', type]], body }, expected);
  return [
    ...['audio/transcriptions', 'files'].flatMap((path) => BROKEN.filter(([name]) => path !== 'files' || !['a model that is a file', 'two models'].includes(name)).map(([name, body]) => sent(name, path, path === 'files' && typeof body === 'string' ? body.replace(MODEL, PURPOSE) : body))),
    ...TYPES.map((type) => sent(`the type ${type.slice(0, 60)}`, 'audio/transcriptions', MODEL + SOUND + END, REFUSED, type)),
    ...['audio/transcriptions', 'images/edits'].flatMap((path) => MODELS.map(([name, value, status, code]) => sent(name, path, field('model', value) + SOUND + END, { status, code, param: 'model' }))),
    sent('no model', 'audio/translations', SOUND + END, { status: 400, code: 'missing_required_parameter', param: 'model' }),
    sent('no part', 'audio/translations', END, { status: 400, code: 'missing_required_parameter', param: 'model' }),
    sent('denied content', 'images/edits', MODEL + field('prompt', 'project nightingale') + SOUND + END, { status: 400, code: 'content_policy_violation' }),
    sent('no file', 'files', PURPOSE + END, { status: 400, code: 'missing_required_parameter', param: 'file' }),
    sent('no purpose', 'files', SOUND + END, { status: 400, code: 'missing_required_parameter', param: 'purpose' }),
    sent('two files', 'files', PURPOSE + SOUND + SOUND + END),
    sent('two purposes', 'files', PURPOSE + PURPOSE + SOUND + END),
    sent('a purpose that is a file', 'files', file('purpose', 'assistants') + SOUND + END),
    sent('a file that is no file', 'files', PURPOSE + field('file', 'text') + END, { status: 400, code: 'missing_required_parameter', param: 'file' }),
  ];
}
