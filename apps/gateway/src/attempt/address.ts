import { outboundRule, type OutboundRule } from '@deja/config';
import type { Candidate, Settings } from '@deja/contracts';

/** Settings stay the same objects as long as a snapshot is in force. */
const rules = new WeakMap<Settings['outbound'], OutboundRule>();

/** The rule that an address from the admin API is held to at every connection; null for one of deja.yaml. */
export function checkedBy({ credential }: Candidate, { outbound }: Pick<Settings, 'outbound'>): OutboundRule | null {
  if (credential?.checkedAddress !== true) return null;
  const known = rules.get(outbound);
  if (known !== undefined) return known;
  const { rule } = outboundRule(outbound.allow);
  rules.set(outbound, rule);
  return rule;
}
