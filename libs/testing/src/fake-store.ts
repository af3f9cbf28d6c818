/** What one credential has stored at the fake provider. Everybody else gets 404 for it. */
export class FakeStore {
  readonly responses = new Map<string, StoredResponse>();
  readonly files = new Map<string, StoredFile>();
  readonly batches = new Map<string, StoredBatch>();
  /** A new id, such as `file-fake…`; unique among all credentials and all fake providers that run at the same time. */
  readonly newId: (prefix: string) => string;

  constructor(newId: (prefix: string) => string) {
    this.newId = newId;
  }
}

export interface StoredResponse {
  /** The response as it is, or will be once someone looks at a background one. */
  final: Record<string, unknown>;
  state: 'queued' | 'final' | 'cancelled';
  inputItems: Record<string, unknown>[];
}

export interface StoredFile {
  object: Record<string, unknown>;
  content: Buffer;
}

export interface StoredBatch {
  object: Record<string, unknown>;
  state: 'validating' | 'cancelling' | 'cancelled' | 'completed';
}

/** One page of a list in OpenAI's shape: `limit`, `order` (newest first by default), `after`. Items are given oldest first. */
export function page(items: Record<string, unknown>[], query: URLSearchParams, limit: number): object {
  const ordered = query.get('order') === 'asc' ? items : items.toReversed();
  const after = query.get('after');
  const from = after === null ? 0 : ordered.findIndex((item) => item['id'] === after) + 1;
  const until = from + Number(query.get('limit') ?? limit);
  const data = ordered.slice(from, until);
  return { object: 'list', data, first_id: data[0]?.['id'] ?? null, last_id: data.at(-1)?.['id'] ?? null, has_more: until < ordered.length };
}
