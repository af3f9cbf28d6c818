// Who gets in where: `node deploy/verify-way-in.mjs <clients' address> <admin address>`. Keys are read from /run/secrets.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const [clients, operators] = process.argv.slice(2);
const [adminKey, clientKey] = ['admin_key', 'client_key'].map((name) => readFileSync(`/run/secrets/${name}`, 'utf8').trim());
const admin = async (origin, path, init = {}) => {
  const response = await fetch(`${origin}/admin/v1${path}`, { ...init, headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', ...init.headers } });
  return { status: response.status, body: await response.json() };
};

assert.equal((await admin(clients, '/tenants')).status, 404, 'the admin API is not at the clients\' address');
assert.equal((await fetch(`${operators}/v1/models`, { headers: { authorization: `Bearer ${clientKey}` } })).status, 404, 'nor are clients at the operators\'');

// Whoever invents where a request comes from is not believed.
const tenant = `verify-${Date.now().toString(36)}`;
const made = await admin(operators, '/tenants', { method: 'POST', body: JSON.stringify({ id: tenant, name: 'Verify' }), headers: { 'x-forwarded-for': '203.0.113.9' } });
assert.equal(made.status, 201, JSON.stringify(made.body));
const told = JSON.stringify((await admin(operators, '/audit')).body);
assert.ok(told.includes(tenant) && !told.includes('203.0.113.9'), told);

// Pieces of a stream arrive one by one, and headers at once.
const startedMs = Date.now();
const response = await ask({ stream: true, messages: [{ role: 'user', content: `Count to 40, 50 ms each: pace-${startedMs}` }] });
const arrivalsMs = [];
for await (const piece of response.body) if (piece.length > 0) arrivalsMs.push(Date.now() - startedMs);
assert.ok(arrivalsMs.length > 20, `40 pieces of a stream came as ${arrivalsMs.length}`);

// Whoever leaves before the answer began is seen to be gone: nobody pays for what nobody waits for.
const leaving = new AbortController();
const left = ask({ messages: [{ role: 'user', content: `Count to 200, 100 ms each: leaves-${startedMs}` }] }, leaving.signal).catch((error) => error.name);
await delay(1000);
leaving.abort();
assert.equal(await left, 'AbortError');
for (let tries = 0; ; tries += 1) {
  const { status, body } = await admin(operators, '/requests?tenant=default&limit=10');
  assert.equal(status, 200, JSON.stringify(body));
  const rows = body.data;
  if (rows.some(({ outcome, duration_ms: ms }) => outcome === 'cancelled' && ms < 10_000)) break;
  assert.ok(tries < 60, `no request was cancelled: ${JSON.stringify(rows.map(({ outcome }) => outcome))}`);
  await delay(250);
}
console.log(`operators and clients have an address each; of a stream ${arrivalsMs.length} pieces came, the first after ${arrivalsMs[0]} ms; who left was gone at once`);

function ask(body, signal = null) {
  return fetch(`${clients}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'gpt-4o-mini', ...body }), signal });
}
