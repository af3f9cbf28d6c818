import type { CapturedExchange } from '@deja/contracts';

/** A row of `usage.captures`, as the driver reads it; without its words. A body's columns are null together. */
export interface CaptureRow {
  operation_id: string;
  tenant: string;
  mode: CapturedExchange['mode'];
  data_key: string;
  request: Buffer | null;
  request_bytes: number | null;
  request_truncated: boolean | null;
  response: Buffer | null;
  response_bytes: number | null;
  response_truncated: boolean | null;
}
