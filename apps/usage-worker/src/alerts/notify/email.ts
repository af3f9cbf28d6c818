import type { Smtp } from '@deja/contracts';
import { createTransport } from 'nodemailer';
import type { Notification } from '../notification.ts';
import { subjectOf, textOf } from './words.ts';

const TIMEOUT_MS = 15_000;
const MAX_SUBJECT_CHARS = 200;

/** Sends one e-mail to all. Rejects when the server does not take it. */
export async function sendEmail(smtp: Smtp, to: readonly string[], notification: Notification): Promise<void> {
  const timeouts = { connectionTimeout: TIMEOUT_MS, greetingTimeout: TIMEOUT_MS, socketTimeout: TIMEOUT_MS };
  const transport = createTransport({ url: smtp.url, ...timeouts });
  try {
    await transport.sendMail({
      from: smtp.from,
      to: [...to],
      // One line, whatever stands in names.
      subject: subjectOf(notification).replaceAll(/\s+/g, ' ').slice(0, MAX_SUBJECT_CHARS),
      text: `${textOf(notification)}\n`,
      // The same for each try: who has had it need not show it again.
      messageId: `<${notification.id}.${notification.state}@deja>`,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  } finally {
    transport.close();
  }
}
