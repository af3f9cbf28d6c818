import type { Notification } from '../notification.ts';
import { subjectOf, textOf } from './words.ts';
import type { HttpMessage } from './webhook.ts';

/** What Slack's incoming webhooks, and those of others that are compatible, take ("Sending messages using incoming webhooks"; &, < and > are written as entities: "Formatting text"). */
export function slackMessage(notification: Notification): HttpMessage {
  // What comes twice can be told by its id.
  const text = escaped(`${textOf(notification)}\nnotification ${notification.id}`);
  const body = { text: escaped(subjectOf(notification)), attachments: [{ color: notification.state === 'firing' ? 'danger' : 'good', text }] };
  return { headers: { 'content-type': 'application/json', 'user-agent': 'deja' }, body: JSON.stringify(body) };
}

/** Names of tenants, users and models are others': none of them is to become a link or call a channel. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
