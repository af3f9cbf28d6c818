import { DejaError } from '@deja/contracts';
import { RE2JS } from 're2js';

/** Deny patterns, compiled once per settings. Linear-time matching: a pattern cannot be turned into a denial of service. */
export class ContentRules {
  private readonly patterns: RE2JS[];

  constructor(deny: string[]) {
    this.patterns = deny.map((pattern) => RE2JS.compile(pattern));
  }

  /** Throws `content_policy_violation` naming the rule, and nothing of the text. */
  check(texts: string[]): void {
    for (const [i, pattern] of this.patterns.entries()) {
      if (texts.some((text) => pattern.matcher(text).find())) {
        throw new DejaError('content_policy_violation', `The request was blocked by the content rule deny[${i}].`, { param: 'messages' });
      }
    }
  }
}
