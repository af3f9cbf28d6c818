import { egressConnector, ForbiddenAddress, outboundRule, type OutboundRule } from '@deja/config';
import type { AlertReceiver, Smtp } from '@deja/contracts';
import { Agent, request } from 'undici';
import type { Notification } from '../notification.ts';
import { sendEmail } from './email.ts';
import { slackMessage } from './slack.ts';
import { webhookMessage, type HttpMessage } from './webhook.ts';

const CONNECT_MS = 5_000;
const ANSWER_MS = 10_000;
/** Of an answer nothing but its status is wanted. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Where a rule came from: addresses of the admin API are checked at every connection, those of deja.yaml are the operator's own. */
export interface SendingTo {
  receiver: AlertReceiver;
  source: 'file' | 'api';
  /** `outbound.allow` of deja.yaml. */
  allowed: readonly string[];
  smtp: Smtp | null;
}

/** Why it was not taken, for the delivery log: says nothing of address or secret. */
export class NotTaken extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'NotTaken';
  }
}

/** Tells one receiver. Redirects are not followed: where they lead is not what was allowed. Rejects with NotTaken. */
export async function send(notification: Notification, { receiver, source, allowed, smtp }: SendingTo, nowMs: number): Promise<void> {
  const rule = source === 'api' ? outboundRule(allowed).rule : null;
  if (receiver.kind === 'webhook') return post(receiver.url, webhookMessage(notification, receiver.secret, nowMs), rule);
  if (receiver.kind === 'slack') return post(receiver.url, slackMessage(notification), rule);
  if (smtp === null) throw new NotTaken('deja.yaml has no smtp');
  await sendEmail(smtp, receiver.to, notification).catch((error: unknown) => {
    const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
    throw new NotTaken(`the mail server did not take it (${typeof responseCode === 'number' ? `SMTP ${responseCode}` : typeof code === 'string' ? code : 'no reason given'})`);
  });
}

async function post(url: string, { headers, body }: HttpMessage, rule: OutboundRule | null): Promise<void> {
  const dispatcher = new Agent({ connect: egressConnector(CONNECT_MS, rule), pipelining: 0 });
  try {
    const reply = await request(url, { method: 'POST', headers, body, dispatcher, signal: AbortSignal.timeout(ANSWER_MS), headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
    await reply.body.dump({ limit: MAX_ANSWER_BYTES }).catch(() => undefined); // it was taken or not, whatever more it says
    if (reply.statusCode < 200 || reply.statusCode > 299) throw new NotTaken(`it answered with status ${reply.statusCode}`);
  } catch (error) {
    throw error instanceof NotTaken ? error : new NotTaken(reasonOf(error));
  } finally {
    await dispatcher.destroy();
  }
}

/** Without the message: it may hold the address. */
function reasonOf(error: unknown): string {
  if (error instanceof ForbiddenAddress) return 'its address must not be called: see outbound.allow in deja.yaml';
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (name === 'TimeoutError') return `no answer within ${ANSWER_MS / 1000} s`;
  return typeof code === 'string' ? `it cannot be reached (${code})` : 'it cannot be reached';
}
