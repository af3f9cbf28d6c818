import { expect, test } from '@jest/globals';
import { scriptedAdmin } from '../../test/scripted-admin.ts';
import { adminPlace } from './admin-place.ts';

test.each([
  [{ admin: true, adminKey: 'k', adminPort: null }, { kind: 'beside' }],
  [{ admin: true, adminKey: 'k', adminPort: 3001 }, { kind: 'own port', port: 3001 }],
  [{ admin: true, adminKey: 'k', adminPort: 0 }, { kind: 'own port', port: 0 }],
  [{ admin: true, adminKey: null, adminPort: null }, { kind: 'nowhere' }],
  [{ admin: true, adminKey: null, adminPort: 3001 }, { kind: 'nowhere' }],
  [{ admin: false, adminKey: 'k', adminPort: null }, { kind: 'nowhere' }],
  [{ admin: false, adminKey: 'k', adminPort: 3001 }, { kind: 'nowhere' }],
])('with %j it is served %j', (environment, place) => {
  expect(adminPlace(environment)).toEqual(place);
});

test.each(['/', '/v1/models', '/v1/chat/completions', '/admin', '/admin/v2/keys', '/admin/v10'])('on a port of its own there is nothing at %s', async (url) => {
  const admin = await scriptedAdmin();
  const reply = await admin.send({ method: 'GET', url });
  expect([reply.statusCode, reply.json()]).toEqual([404, { error: { message: 'There is nothing at this address.', type: 'invalid_request_error', param: null, code: 'not_found' } }]);
  await admin.close();
});
