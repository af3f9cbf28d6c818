import { createHmac } from 'node:crypto';
import type { Notification } from '../notification.ts';
import { slackMessage } from './slack.ts';
import { webhookMessage } from './webhook.ts';
import { subjectOf, textOf } from './words.ts';

const notification: Notification = {
  id: '019b7d9e-0000-7000-8000-000000000001', alert: 'burn', state: 'firing', metric: 'budget_used_share', value: 0.8312, threshold: 0.8, labels: { tenant: 'acme' },
  started_at: '2026-11-26T10:00:00.000Z', resolved_at: null,
};

test('a webhook gets the notification as it is, and with a secret a signature of the time and the very bytes', () => {
  const { headers, body } = webhookMessage(notification, 'whsec', 1_764_151_200_999);
  expect(JSON.parse(body)).toEqual(notification);
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-deja-signature'] ?? '') ?? [];
  expect([t, v1]).toEqual(['1764151200', createHmac('sha256', 'whsec').update(`1764151200.${body}`).digest('hex')]);
  expect(webhookMessage(notification, null, 0).headers).not.toHaveProperty('x-deja-signature');
});

test('each try says the same id, and firing and resolved are two', () => {
  const idOf = (of: Notification): string | undefined => webhookMessage(of, 's', Math.random()).headers['x-deja-notification'];
  expect(idOf(notification)).toBe(idOf(notification));
  expect(idOf(notification)).not.toBe(idOf({ ...notification, state: 'resolved' }));
});

test('people read what it is about, how much, and of what bound', () => {
  expect(subjectOf(notification)).toBe('[firing] burn: budget used 83.12 % (above 80 %), tenant acme');
  expect(subjectOf({ ...notification, test: true, alerts: [notification, notification], more: 3 })).toBe('[test] [firing] burn: 5 times budget used, tenant acme');
  expect(textOf({ ...notification, alerts: Array.from({ length: 30 }, () => notification), more: 2, cut: 7 }).split('\n').slice(-2)).toEqual(['and 12 more', '7 further ones are not followed: a rule has at most 1,000']);
});

test('a figure that was seen long before is said to be of then', () => {
  expect(subjectOf({ ...notification, seen_at: '2026-11-26T09:50:00.000Z' })).toBe('[firing] burn: budget used, last known 83.12 % at 2026-11-26T09:50:00.000Z (above 80 %), tenant acme');
});

test('Slack gets the id too, by which what comes twice is told', () => {
  expect(JSON.parse(slackMessage(notification).body)).toMatchObject({ attachments: [{ text: expect.stringMatching(/\nnotification 019b7d9e-0000-7000-8000-000000000001$/) }] });
});

test('a name that a client made calls no channel and makes no link in Slack', () => {
  const { body } = slackMessage({ ...notification, labels: { user: '<!channel> <https://evil.example|click> & co' } });
  expect(JSON.parse(body).text).toContain('user &lt;!channel&gt; &lt;https://evil.example|click&gt; &amp; co');
  expect(body).not.toMatch(/<[!h]/);
});
