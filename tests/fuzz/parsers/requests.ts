import { DejaError, type Settings } from '@deja/contracts';
import { AttemptFailure } from '../../../apps/gateway/src/attempt/failure.ts';
import { fromAzurePath, modelInAzurePath, withModelOfPath } from '../../../apps/gateway/src/azure-paths.ts';
import { cacheWishes } from '../../../apps/gateway/src/cache/directives.ts';
import { shapeOf } from '../../../apps/gateway/src/capture/shape.ts';
import { treatedBody } from '../../../apps/gateway/src/guard/prompt-texts.ts';
import { clientAddress } from '../../../apps/gateway/src/keys/client-address.ts';
import { referencedIds } from '../../../apps/gateway/src/objects/references.ts';
import { headerText, tagsOf, userOf } from '../../../apps/gateway/src/operation/request-headers.ts';
import { boundaryOf, MultipartScanner } from '../../../apps/gateway/src/passthrough/multipart.ts';
import { requirementsOf } from '../../../apps/gateway/src/plan/needs.ts';
import { inputOf } from '../../../apps/gateway/src/trace/messages.ts';
import { parseJsonBody, withMembers, type JsonBody } from '../../../apps/gateway/src/validate/json-body.ts';
import { networks } from '@deja/config';
import { contextOf } from '@deja/telemetry';
import { pieces } from '../mutate.ts';
import { ASKED, CANDIDATES, contextFor } from './provider-calls.ts';
import { holds, orRefused, outcome, same, texts, type ParserTarget } from './target.ts';

const JSON_SEEDS = [
  ...texts(...ASKED.map(([, body]) => body)),
  ...texts('{"model":"m","big":12345678901234567890.123456789,"exp":1E+5,"neg":-0,"messages":[{"role":"user","content":"x"}]}', '{"a":{"b":{"c":[1,2,{"d":null}]}},"a":2}', '{"__proto__":{"x":1},"model":"m"}', '{ "model" : "m" , "n" : 1.0e0 }\n', '{"\\u006dodel":"escaped","model":"plain"}'),
];

function readBody(bytes: Buffer): void {
  const body = orRefused(() => parseJsonBody(bytes), DejaError);
  if (body === null) return;
  const parsed = JSON.parse(body.text) as Record<string, unknown>;
  same(body.value, parsed, 'the value is not what the text says');
  same([...body.members.keys()].sort(), Object.keys(parsed).sort(), 'members were missed');
  const unchanged = withMembers(body, {});
  same(JSON.parse(unchanged), parsed, 'a body changes without a change');
  const patched = withMembers(body, { model: '"patched"', zz: '[1]' });
  same(Object.entries(JSON.parse(patched) as object).filter(([name]) => name !== 'model' && name !== 'zz'), Object.entries(parsed).filter(([name]) => name !== 'model' && name !== 'zz'), 'a patch changed another member');
  same((JSON.parse(patched) as Record<string, unknown>)['model'], 'patched', 'a patch was lost');
  for (const [name, members] of body.members) {
    const last = members.at(-1);
    if (name !== 'model' && name !== 'zz' && last !== undefined) holds(patched.includes(body.text.slice(last.valueStart, last.end)), `the digits of ${name} were not kept`);
  }
  const without = withMembers(body, { model: null });
  holds(!Object.hasOwn(JSON.parse(without) as object, 'model'), 'a member that was taken out is there');
  lookedAt(body);
}

/** Everything that reads a body before a provider is asked, whatever its endpoint. */
function lookedAt(body: JsonBody): void {
  const treated = treatedBody(body, (text) => text.replaceAll('secret', '[redacted]'));
  JSON.parse(treated.text);
  referencedIds(body.value);
  shapeOf(body.value);
  inputOf('chat/completions', body.value);
  inputOf('responses', body.value);
}

function asked(bytes: Buffer, endpointNumber: number, candidateNumber: number): void {
  const [endpoint] = ASKED[endpointNumber % ASKED.length] ?? ASKED[0]!;
  const candidate = CANDIDATES[candidateNumber % CANDIDATES.length] ?? CANDIDATES[0]!;
  const request = orRefused(() => endpoint.parse(parseJsonBody(bytes)), DejaError);
  if (request === null || orRefused(() => endpoint.unsuited(request, candidate), DejaError, AttemptFailure) !== null) return;
  const exchange = orRefused(() => endpoint.exchange(request, contextFor(candidate, false)), DejaError, AttemptFailure);
  if (exchange === null) return;
  holds(typeof JSON.parse(exchange.body) === 'object', 'a provider is asked with no object');
  holds(new URL(exchange.url).origin === 'https://provider.test', `another host is asked: ${exchange.url}`);
}

const BOUNDS = { maxFieldBytes: 4096, maxFieldsBytes: 16_384, maxParts: 20, maxHeaderBytes: 2048 };
const FORM = (boundary: string): string => `--${boundary}\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper\r\n--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\nRIFF\r\n\r\n--${boundary}\r\nContent-Disposition: form-data; name=prompt\r\ncontent-length: 2\r\n\r\nHi\r\n--${boundary}--\r\n`;

function form(bytes: Buffer, parts: Buffer[]): void {
  const read = (chunks: Buffer[], rewrite?: (field: string, value: string) => string | undefined): { value: { sent: Buffer; fields: [string, string][]; files: string[] } } | { refused: string } =>
    outcome(() => {
      const scanner = new MultipartScanner('B', { ...BOUNDS, plainFields: ['model'], ...(rewrite !== undefined && { rewrite }) });
      const sent = [...chunks.flatMap((chunk) => scanner.push(chunk)), ...scanner.end()];
      return { sent: Buffer.concat(sent), fields: [...scanner.fields], files: scanner.files.map(({ name }) => name) };
    }, DejaError);
  const whole = read([bytes]);
  const cut = read(parts);
  same('value' in whole, 'value' in cut, 'a form is read in pieces and refused whole, or the other way round');
  if ('refused' in whole || 'refused' in cut) return;
  holds(whole.value.sent.equals(bytes) && cut.value.sent.equals(bytes), 'a form without a rewrite goes out changed');
  same(whole.value.fields, cut.value.fields, 'fields depend on how bytes are cut');
  const renamed = read(parts, (field, value) => (field === 'model' ? `${value}-upstream` : undefined));
  if ('refused' in renamed) return;
  const again = read([renamed.value.sent]);
  holds('value' in again, 'a rewritten form is none');
}

const POLICY: Settings['cache'] = { scope: 'tenant', exact: { enabled: true, ttl_s: 300 }, semantic: { enabled: true, ttl_s: 3600 } } as Settings['cache'];
const TRUSTED = networks('10.0.0.0/8', '::1');

function headers(text: string): void {
  const latin1 = Buffer.from(text).toString('latin1');
  for (const name of ['cache-control', 'x-cache-mode', 'x-cache-ttl']) {
    const wishes = orRefused(() => cacheWishes({ [name]: latin1 }, POLICY), DejaError);
    if (wishes !== null) holds(wishes.exactTtlS <= 300 && wishes.semanticTtlS <= 3600, 'an answer is kept for longer than the policy says');
  }
  const tags = orRefused(() => tagsOf(headerText(latin1)), DejaError);
  holds(tags === null || Object.keys(tags).length <= 16, 'too many tags');
  const user = orRefused(() => userOf(headerText(latin1), null), DejaError);
  holds(user === null || (user.length > 0 && user.length <= 512), 'a user of a length that is not allowed');
  orRefused(() => requirementsOf(headerText(latin1)), DejaError);
  const address = clientAddress('10.1.1.1', latin1, TRUSTED);
  holds(address === null || /^[0-9a-f.:]+(?:%[\w.]+)?$/i.test(address), `an address that is none: ${address}`);
  const boundary = boundaryOf(latin1);
  holds(boundary === null || (boundary.length > 0 && boundary.length <= 70), 'a boundary that is none');
  contextOf({ traceparent: latin1, tracestate: latin1 });
}

function address(text: string): void {
  const url = `/${text.replace(/[\s\0]/g, '')}`;
  for (const given of [url, `/openai${url}`, `/openai/deployments${url}`]) {
    const ours = fromAzurePath(given);
    same(fromAzurePath(ours), ours, 'an address changes twice');
    holds(ours === given || ours.startsWith('/v1/'), `an address leads elsewhere: ${ours}`);
    modelInAzurePath(given);
    orRefused(() => withModelOfPath(Buffer.from('{"messages":[]}'), given), DejaError);
  }
}

/** What clients send. */
export const REQUEST_PARSERS: ParserTarget[] = [
  { name: 'json-body', seeds: JSON_SEEDS, run: readBody },
  { name: 'endpoint', seeds: JSON_SEEDS, run: (bytes, random) => asked(bytes, random.below(ASKED.length), random.below(CANDIDATES.length)) },
  { name: 'multipart', seeds: texts(FORM('B'), FORM('B').replace('--B\r\n', '\r\n--B\r\n'), FORM('BB'), `${FORM('B')}\r\n \t`), words: ['--B', '\r\n--B', '--B--', '\r\n--B--\r\n', 'content-disposition: form-data; name="', '; filename="', '; filename*=utf-8\'\'', 'content-type: text/plain; charset=utf-8', '_charset_', 'content-transfer-encoding: 7bit'], run: (bytes, random) => form(bytes, pieces(random, bytes)) },
  { name: 'headers', seeds: texts('max-age=60, no-store', 'only-if-cached', 'a=b,c=d', 'region=eu,tag=gpu', '10.0.0.1, [::1]:443, "for=x", 192.0.2.1:80', 'multipart/form-data; boundary="a b"; charset=utf-8', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'Zoë'), run: (bytes) => headers(bytes.toString('utf8')) },
  { name: 'address', seeds: texts('v1/chat/completions?api-version=2024-10-21', 'gpt-4o/chat/completions?a=b&api-version=x', 'v1/files/file-1/content', '%2e%2e/gpt%zz/embeddings'), words: ['api-version', 'deployments', 'openai', '?', '&'], run: (bytes) => address(bytes.toString('utf8')) },
];
