import type { Usage } from '@deja/contracts';
import type { ResponseUsage } from '../responses/response-object.ts';
import { asResponse, isUnderWay, responseUsage, usageOfResponse } from '../responses/response-stream.ts';

/** What was used by something that ended in the provider's own time. */
export interface LateBill {
  usage: Usage;
  /** As the provider calls it; null: it does not say. */
  model: string | null;
}

/** Of a background response; null as long as it runs, and where it does not say. */
export function responseBill(json: unknown, id: string): LateBill | null {
  const response = asResponse(json);
  const usage = response === null || isUnderWay(response) ? null : usageOfResponse(response);
  return response === null || usage === null || response.id !== id ? null : { usage, model: response.model };
}

/** Ways in which a batch ends (OpenAI's API reference, "Batch"). */
const ENDED = new Set<unknown>(['completed', 'failed', 'expired', 'cancelled']);

/** Of a batch: the sum of its requests; null as long as it runs, and where it does not say (OpenAI tells it of batches since September 2025). */
export function batchBill(json: Readonly<Record<string, unknown>>, id: string): LateBill | null {
  const { status, usage, model } = json;
  const counted = json['id'] === id && ENDED.has(status) ? responseUsage(usage as ResponseUsage | null) : null;
  return counted && { usage: { ...counted, serviceTier: 'batch' }, model: typeof model === 'string' && model !== '' ? model : null };
}
