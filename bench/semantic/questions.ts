const STARTS = ['How do I', 'Can a guest', 'What happens when people', 'Why would anyone', 'Is it possible to', 'Where does one', 'When should an admin', 'Who is allowed to', 'What does it take to', 'Should every user'];
const VERBS = ['change', 'reset', 'remove', 'find', 'enable', 'disable', 'share', 'rename', 'schedule', 'restore'];
const SUBJECTS = ['a password', 'the billing address', 'an invoice', 'dark mode', 'two-factor login', 'the export of a report', 'a webhook', 'the time zone', 'a shared folder', 'the weekly summary'];
const PLACES = ['in the settings', 'on a phone', 'for a whole team', 'after an upgrade', 'without a mouse', 'in the command line', 'for new members', 'before the deadline', 'in another language', 'on a slow connection'];
const ENDS = ['', ' with one click', ' by e-mail', ' as an editor', ' at no cost'];

export const QUESTIONS = 50_000;

/** The n-th of so many different questions, each of which looks like hundreds of the others. */
export function question(n: number): string {
  const at = (list: readonly string[], step: number): string => list[Math.floor(n / step) % list.length] ?? '';
  return `${at(STARTS, 1000)} ${at(VERBS, 1)} ${at(SUBJECTS, 10)} ${at(PLACES, 100)}${at(ENDS, 10_000)}?`;
}
