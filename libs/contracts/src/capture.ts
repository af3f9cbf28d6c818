/** What the request log keeps of a request and its answer: nothing beyond the ledger's row, its shape without what anybody wrote, or all of it. */
export const CAPTURE_MODES = ['none', 'metadata', 'full'] as const;
export type CaptureMode = (typeof CAPTURE_MODES)[number];

export type CapturedPart = 'request' | 'response';

/** One body, compressed and encrypted by the gateway that saw it. Nobody on its way can read it. */
export interface SealedBody {
  /** base64 of: number of the format (one byte), nonce (12), ciphertext, tag (16). AES-256-GCM of zstd-compressed UTF-8 text; `captureAdditionalData` is authenticated with it. */
  sealed: string;
  /** Of the text as it was, before it was cut and compressed. */
  bytes: number;
  /** The text was longer than what is kept of one, and ends early. */
  truncated: boolean;
}

/** What is captured of one operation. */
export interface CapturedExchange {
  /** Id of the operation. */
  operation: string;
  tenant: string;
  mode: 'metadata' | 'full';
  /** Id of the tenant's data key that both bodies are sealed with. */
  dataKey: string;
  request: SealedBody | null;
  response: SealedBody | null;
  /** What the prompt says, in clear, for full-text search; null unless the operator switched that on. */
  searchText: string | null;
}

/** Data of one BullMQ job on `CAPTURE_QUEUE`. */
export interface CaptureBatch {
  v: 1;
  exchanges: CapturedExchange[];
}

/** A sealed body opens for exactly this and nothing else. */
export const captureAdditionalData = (o: { tenant: string; operation: string; part: CapturedPart }): string => JSON.stringify(['deja capture', o.tenant, o.operation, o.part]);
