import { DejaError, type AlertReceiver } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { onMasterKey } from '../vault/key-trouble.ts';
import type { MasterKeys } from '../vault/master-keys.ts';
import { openValue, sealValue, type SealedValue } from '../vault/sealed-value.ts';
import { KeyWrappingError } from '../vault/wrapped-key.ts';
import type { StoredRule } from './alert-rules.repository.ts';

const NOBODY = Buffer.from('[]');

/** Receivers of rules of the admin API, kept as credentials are: their addresses and secrets are nowhere in clear. */
export class SealedReceivers {
  constructor(
    private readonly keys: MasterKeys,
    private readonly logger: Pick<Logger, 'error'>,
  ) {}

  /** Throws `overloaded` where who keeps the master key cannot be asked. */
  async seal(rule: string, receivers: AlertReceiver[]): Promise<SealedValue> {
    const text = Buffer.from(JSON.stringify(receivers));
    try {
      return await onMasterKey('Alert rules cannot be changed', () => sealValue(this.keys, text, additionalDataOf(rule)));
    } finally {
      text.fill(0);
    }
  }

  /** JSON of AlertReceiver[], for its one use: whoever asked for it overwrites it. Nobody, and a line in the log, where it does not open: the rule itself still holds. Throws `overloaded` as `seal` does. */
  async open(rule: StoredRule): Promise<Buffer> {
    try {
      const text = await openValue(this.keys, rule, additionalDataOf(rule.id));
      if (text !== null) return text;
      this.logger.error({ alert: rule.name }, 'the receivers of an alert rule cannot be decrypted: its row in Postgres was changed');
    } catch (error) {
      if (!(error instanceof KeyWrappingError)) throw error;
      if (error.problem === 'unreachable') throw new DejaError('overloaded', 'Receivers of alerts cannot be had at the moment: the master key cannot be used.', { retryAfterMs: 1000, cause: error });
      this.logger.error({ err: error, alert: rule.name }, 'the receivers of an alert rule cannot be decrypted: their data key cannot be unwrapped');
    }
    return Buffer.from(NOBODY);
  }
}

/** They open in their own row alone. */
const additionalDataOf = (rule: string): string => JSON.stringify(['deja alert receivers', rule]);
