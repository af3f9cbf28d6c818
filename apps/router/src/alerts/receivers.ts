import type { BodyOf } from '@deja/admin-api';
import { DejaError, type AlertReceiver } from '@deja/contracts';

type Given = BodyOf<'createAlert'>['notify'][number];

/** What the configuration allows to those who come by the admin API. */
export interface ReceiverRules {
  /** What is wrong with an address as the end of a sentence, or null: see `addressProblem` of libs/config. */
  addressProblem: (address: string) => string | null;
  /** deja.yaml says how e-mail is sent. */
  sendsMail: boolean;
}

/** Who is told, as a rule keeps it. Throws `invalid_value`, naming the receiver, for an address that the admin API may not name, and for e-mail that nobody could send. */
export function receiversOf(notify: Given[], rules: ReceiverRules): AlertReceiver[] {
  return notify.map((given, index): AlertReceiver => {
    const { webhook, secret, slack, email } = given;
    if (webhook !== undefined) return { kind: 'webhook', url: checked(webhook, `notify[${index}].webhook`, rules), secret: secret ?? null };
    if (slack !== undefined) return { kind: 'slack', url: checked(slack, `notify[${index}].slack`, rules) };
    if (!rules.sendsMail) throw refused(`notify[${index}].email`, 'Nobody can send it: smtp is missing in deja.yaml, as smtp: { url: "smtps://user:password@host", from: deja@example.com }.');
    return { kind: 'email', to: [email ?? []].flat() };
  });
}

function checked(address: string, param: string, { addressProblem }: ReceiverRules): string {
  const problem = problemOf(address, addressProblem);
  if (problem !== null) throw refused(param, `The address will not do: it ${problem}.`);
  return address;
}

/** What comes behind the host is the receiver's affair, and its secret: only the host is looked at, and said again. */
function problemOf(address: string, addressProblem: ReceiverRules['addressProblem']): string | null {
  if (!URL.canParse(address)) return 'must be a URL, such as https://hooks.example.com/deja';
  const { username, password, origin } = new URL(address);
  return username + password === '' ? addressProblem(origin) : 'must hold neither user nor password: a webhook is signed with its secret';
}

const refused = (param: string, message: string): DejaError => new DejaError('invalid_value', message, { param });
