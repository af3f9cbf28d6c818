import { createHmac } from 'node:crypto';
import type { Notification } from '../notification.ts';

export interface HttpMessage {
  headers: Record<string, string>;
  body: string;
}

/**
 * What a webhook gets. With a secret `x-deja-signature` is `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, made anew for each try, so that a receiver
 * may refuse old ones; `x-deja-notification` is the same for each try, so that it may refuse what it has had.
 */
export function webhookMessage(notification: Notification, secret: string | null, nowMs: number): HttpMessage {
  const body = JSON.stringify(notification);
  const t = Math.floor(nowMs / 1000);
  const headers = { 'content-type': 'application/json', 'user-agent': 'deja', 'x-deja-notification': `${notification.id}:${notification.state}` };
  if (secret === null) return { headers, body };
  return { headers: { ...headers, 'x-deja-signature': `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}` }, body };
}
