import type { Audited } from '../audit/audit-log.ts';

/** What a change has come to. */
export interface Done<Body> {
  body: Body;
  /** Of the resource in the body, as `etagOf` writes it; null where there is none. */
  etag: string | null;
  /** Shown once: it leaves the router only sealed. */
  secret?: string;
  /** null: nothing was changed. */
  audit: Audited | null;
  /** After the commit, and not when an earlier answer is repeated: pushes, and what else has to hear of it. What fails here is logged; what is changed stays changed. */
  afterwards?: () => Promise<void>;
}
