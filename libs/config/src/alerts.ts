import type { AlertReceiver, Smtp } from '@deja/contracts';
import type { AlertConfig } from './deja-config.ts';
import type { FormProblem } from './form.ts';
import type { FileConfig } from './schema.ts';
import { Secret } from './secret.ts';

type FileAlert = FileConfig['alerts'][number];
type FileReceiver = FileAlert['notify'][number];

/** The rules of the file, and how e-mail is sent. Adds what is wrong with them to `problems`. */
export function alertsOf(file: FileConfig, problems: FormProblem[]): { alerts: AlertConfig[]; smtp: Secret | null } {
  const names = new Set<string>();
  file.alerts.forEach(({ name, notify }, index) => {
    if (names.has(name)) problems.push({ path: ['alerts', index, 'name'], message: `there is another alert ${JSON.stringify(name)}: give it a name of its own` });
    names.add(name);
    const mails = notify.findIndex(({ email }) => email !== undefined);
    if (mails >= 0 && file.smtp === undefined) problems.push({ path: ['alerts', index, 'notify', mails, 'email'], message: 'nobody can send it: write smtp: { url: "smtps://user:password@host", from: deja@example.com } too' });
  });
  return { alerts: file.alerts.map(alertOf), smtp: file.smtp === undefined ? null : new Secret(JSON.stringify(file.smtp satisfies Smtp)) };
}

function alertOf({ name, enabled, when, notify, group_by: groupBy, repeat_s: repeatS }: FileAlert): AlertConfig {
  const receivers = notify.map(receiverOf).map((receiver) => ({ kind: receiver.kind, value: new Secret(JSON.stringify(receiver)) }));
  return { rule: { id: `file:${name}`, name, source: 'file', enabled, when, group_by: groupBy, repeat_s: repeatS }, receivers };
}

/** The form was checked: exactly one of them is there. */
function receiverOf({ webhook, secret, slack, email }: FileReceiver): AlertReceiver {
  if (webhook !== undefined) return { kind: 'webhook', url: webhook, secret: secret ?? null };
  if (slack !== undefined) return { kind: 'slack', url: slack };
  return { kind: 'email', to: [email ?? []].flat() };
}
