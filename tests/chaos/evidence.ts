import type { LedgerCall, LedgerOperation, ProviderCall, Rates } from './agreement.ts';
import type { Kind, Target } from './schedule.ts';

/** A fault as it happened. Unix milliseconds. */
export interface Fault {
  target: Target;
  kind: Kind;
  n: number;
  startMs: number;
  /** It was undone. */
  endMs: number;
  /** All processes were ready again, and said that they lack nothing. */
  wellMs: number;
}

/** What kind of client asked. */
export type Asker = 'whole' | 'streamed' | 'repeated' | 'respelt' | 'vectors' | 'tools' | 'leaving' | 'limited' | 'narrow' | 'poor';

/** One HTTP request as its client saw it: the SDK may make several for one call. Unix milliseconds. */
export interface Try {
  /** Names the call, and the try of it from 0: both are tags in the ledger. */
  mark: string;
  t: number;
  asker: Asker;
  tenant: string;
  question: string;
  stream: boolean;
  /** 0 for the first. */
  gateway: number;
  startMs: number;
  endMs: number;
  status: number | null;
  requestId: string | null;
  cache: string | null;
  provider: string | null;
  errorCode: string | null;
  /** `broken`: the connection ended before the answer did. */
  ended: 'whole' | 'left' | 'broken';
  /** A stream that said it is complete: `[DONE]`. */
  isComplete: boolean;
  /** The answer's text where the client got all of it. */
  text: string | null;
  /** What the transport said of a failure. */
  why: string | null;
}

/** What was asked after a change of key, limit or cache was confirmed. */
export interface ChangeProbe {
  what: string;
  gateway: number;
  /** When it was asked, and answered. Unix ms. */
  startMs: number;
  endMs: number;
  /** Confirmation of the change until this was asked. */
  afterMs: number;
  /** `old`: answered as if there had been no change. */
  found: 'old' | 'new' | 'nothing';
}

/** A request that should be refused. */
export interface BadRequest {
  what: string;
  gateway: number;
  startMs: number;
  endMs: number;
  status: number | null;
  code: string | null;
  /** Why there was no answer. */
  why?: string;
}

/** A limit of requests or of places, or a budget, and who was held to it. */
export type Ceiling =
  | { tenant: string; kind: 'requests'; perMinute: number }
  | { tenant: string; kind: 'places'; atOnce: number }
  | { tenant: string; kind: 'budget'; nanoUsd: bigint };

/** Memory of a process: its resident set, or what is live of it, which is in use after a full garbage collection. */
export interface MemorySample {
  process: string;
  pid: number;
  atMs: number;
  of: 'resident' | 'live';
  mib: number;
}

/** A connection that a gateway, from 0, did not take although it had said that it was ready. Unix ms. */
export interface NotTaken {
  gateway: number;
  atMs: number;
}

/** Everything that was seen in a run. */
export interface Evidence {
  fromMs: number;
  untilMs: number;
  faults: Fault[];
  tries: Try[];
  calls: ProviderCall[];
  operations: LedgerOperation[];
  attempts: LedgerCall[];
  rates: Rates;
  changes: ChangeProbe[];
  bad: BadRequest[];
  notTaken: NotTaken[];
  /** Bad requests that a provider saw. */
  badAtProvider: number;
  ceilings: Ceiling[];
  /** When a gateway said that it decides limits by itself, as Redis was away or slow. Unix ms. */
  alone: { gateway: number; fromMs: number; untilMs: number }[];
  /** As `postgres: admin key`. */
  secretsFound: string[];
  secretsSought: number;
  /** What was left behind, by name; 0 is none. */
  left: Record<string, number>;
  /** Who was not ready in the end, and why. */
  notReady: string[];
  memory: MemorySample[];
}

/** Whether a fault was there at some moment between these two. */
export const during = (fault: Fault, startMs: number, endMs: number): boolean => fault.startMs <= endMs && startMs <= fault.wellMs;
