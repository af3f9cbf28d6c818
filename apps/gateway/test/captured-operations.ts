import { safetyRules, safetySchema } from '@deja/content-safety';
import { newId, type Principal, type Settings } from '@deja/contracts';
import { metrics } from '@opentelemetry/api';
import { Captured } from '../src/capture/captured.ts';
import { CaptureMetrics, type CaptureResult } from '../src/capture/capture-metrics.ts';
import { parseJsonBody } from '../src/validate/json-body.ts';

export const SECRET = 'The treasure lies under the old oak.';

/** Counts as the metric does. */
export class Counted extends CaptureMetrics {
  readonly captures: Record<CaptureResult, number> = { queued: 0, spooled: 0, dropped: 0 };

  constructor() {
    super(metrics.getMeter('test'));
  }

  override count(result: CaptureResult, captures: number): void {
    this.captures[result] += captures;
  }
}

/** A settled operation whose question and answer have this text. */
export function operation(o: { tenant?: string; text?: string; capture?: Principal['capture']; search?: boolean } = {}): { id: string; principal: Principal; captured: Captured } {
  const { tenant = 'acme', text = SECRET, capture, search = false } = o;
  const settings = { capture: 'full', request_log: { retention_days: 7, search }, content_safety: safetyRules(safetySchema.parse({})).rules } satisfies Partial<Settings>;
  const captured = new Captured(settings);
  captured.asked(parseJsonBody(Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: text }] }))), ['messages']);
  captured.replied(Buffer.from(JSON.stringify({ object: 'chat.completion', choices: [{ message: { role: 'assistant', content: `You said: ${text}` } }] })));
  return { id: newId(), principal: { tenant, ...(capture !== undefined && { capture }) } as Principal, captured };
}
