import { bearer, GOOD_CHAT, JSON_TYPE, row, type BadInput, type Known } from './bad-input.ts';

const ODD_IDS = ['nobodys', 'file-nobodys', 'resp_nobodys', 'batch_nobodys', '.', '%2e%2e', '..%2ffiles', '%00', 'a%20b', '%0d%0ax-injected:%201', '__proto__', 'constructor', 'hasOwnProperty', '*', '%2a', 'a;b', "'%20or%201=1--", '%24%7bjndi%7d', 'x'.repeat(1000), '%f0%9f%98%80', '{id}', 'null', '-1', '0', '%3Cscript%3E', 'a%2fb', '%252e%252e'];
const OBJECTS: [method: string, before: string, after: string][] = [['GET', 'files/', ''], ['GET', 'files/', '/content'], ['DELETE', 'files/', ''], ['GET', 'batches/', ''], ['POST', 'batches/', '/cancel'], ['GET', 'responses/', ''], ['GET', 'responses/', '/input_items'], ['POST', 'responses/', '/cancel'], ['DELETE', 'responses/', '']];

/** Ids of nobody's objects, of models that are none, in every place of a path. */
export function ids({ key }: Known): BadInput[] {
  return [
    ...OBJECTS.flatMap(([method, before, after]) => ODD_IDS.filter((id) => id !== '.').map((id) => row(`${method} /v1/${before}${id.slice(0, 30)}${after}`, { method, target: `/v1/${before}${id}${after}`, headers: [bearer(key)] }, id.length > 512 ? { status: 400, code: 'invalid_value' } : { status: 404, code: 'not_found' }))),
    ...ODD_IDS.filter((id) => id !== '.').map((id) => row(`GET /v1/models/${id.slice(0, 30)}`, { method: 'GET', target: `/v1/models/${id}`, headers: [bearer(key)] }, { status: 404, code: 'model_not_found' })),
    ...['nothing', 'generation', '__proto__', 'constructor', '%00', 'edits/x'].flatMap((action) => ['images', 'audio'].map((folder) => row(`POST /v1/${folder}/${action}`, { target: `/v1/${folder}/${action}`, headers: [bearer(key), JSON_TYPE], body: JSON.stringify(GOOD_CHAT) }, { status: 404, code: 'not_found' }))),
  ];
}

/** Query strings of lists, and addresses of Azure's. */
export function queries({ key }: Known): BadInput[] {
  const refused = { status: 400, code: 'invalid_value' };
  const headers = [bearer(key)];
  const lists: [query: string, param: string][] = [
    ...['0', '-1', '1.5', 'x', '', '10001', '99999999999999999999', '%00', '%31%00'].map((limit): [string, string] => [`limit=${limit}`, 'limit']),
    ['limit=1&limit=2', 'limit'], ['after=a&after=b', 'after'], ['purpose=a&purpose=b', 'purpose'], ['x=1&x=1', 'x'], ['__proto__=1&__proto__=2', '__proto__'],
  ];
  return [
    ...lists.flatMap(([query, param]) => ['files', 'batches'].map((list) => row(`GET /v1/${list}?${query}`, { method: 'GET', target: `/v1/${list}?${query}`, headers }, { ...refused, param }))),
    ...['nobodys', '%00', '%ff%fe', '__proto__'].flatMap((id) => ['files', 'batches'].map((list) => row(`GET /v1/${list} after ${id}`, { method: 'GET', target: `/v1/${list}?after=${id}`, headers }, { status: 404, code: 'not_found', param: 'after' }))),
    ...['unknown', '__proto__', '%00', '..%2fknown', '%20'].map((model) => row(`Azure’s address of the model ${model}`, { target: `/openai/deployments/${model}/chat/completions?api-version=2024-10-21`, headers: [...headers, JSON_TYPE], body: JSON.stringify({ messages: GOOD_CHAT.messages }) }, { status: 404, code: 'model_not_found', param: 'model' })),
    row('Azure’s address with another model in the body', { target: '/openai/deployments/other/chat/completions', headers: [...headers, JSON_TYPE], body: JSON.stringify(GOOD_CHAT) }, { ...refused, param: 'model' }),
    row('Azure’s address without a body', { target: '/openai/deployments/known/chat/completions', headers: [...headers, JSON_TYPE] }, { status: 400, code: 'invalid_json' }),
    row('Azure’s address of nothing', { target: '/openai/deployments/known/nothing', headers: [...headers, JSON_TYPE], body: '{}' }, { status: 404, code: 'not_found' }),
    row('Azure’s address that cannot be decoded', { target: '/openai/deployments/%zz/chat/completions', headers: [...headers, JSON_TYPE], body: JSON.stringify({ messages: GOOD_CHAT.messages }) }, { status: 404, code: 'model_not_found', param: 'model' }),
    ...['input_file_id', 'no file'].map((name) => row(`a batch of ${name === 'no file' ? 'nothing' : 'somebody else’s file'}`, { target: '/v1/batches', headers: [...headers, JSON_TYPE], body: JSON.stringify({ endpoint: '/v1/chat/completions', completion_window: '24h', ...(name !== 'no file' && { input_file_id: 'file-nobodys' }) }) }, name === 'no file' ? { status: 400, code: 'missing_required_parameter', param: 'input_file_id' } : { ...refused, param: 'input_file_id' })),
    ...['previous_response_id', 'conversation'].map((member) => row(`${member} of somebody else’s`, { target: '/v1/responses', headers: [...headers, JSON_TYPE], body: JSON.stringify({ model: 'known', input: 'x', [member]: member === 'conversation' ? 'conv_nobodys' : 'resp_nobodys' }) }, { ...refused, param: member })),
    row('a file of somebody else’s in a message', { headers: [...headers, JSON_TYPE], body: JSON.stringify({ model: 'known', messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-nobodys' } }] }] }) }, { ...refused, param: 'messages[0].content[0].file.file_id' }),
  ];
}
