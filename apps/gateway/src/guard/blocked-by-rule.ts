import { DejaError } from '@deja/contracts';

/** 400 `content_policy_violation` by one of our own rules: its name, and nothing of the text. */
export class BlockedByRule extends DejaError {
  readonly rule: string;

  constructor(what: 'request' | 'answer', rule: string, param: string | null = null) {
    super('content_policy_violation', `The ${what} was blocked by the content rule ${rule}.`, param === null ? {} : { param });
    this.rule = rule;
  }
}
