import type { WorkerReadiness } from '@deja/telemetry';
import type { Surface } from '../front.ts';
import type { StopSignal } from '../stopping.ts';

/** What the primary process may ask of a worker, and what it is answered. */
export interface Answers {
  readiness: Pick<WorkerReadiness, 'checks' | 'degraded'>;
  /** In Prometheus's text format. */
  metrics: string;
  openMetrics: string;
}
export type Question = keyof Answers;

/** From the primary process to a worker. */
export type ToWorker =
  /** With the connection itself, of which nobody has read anything yet. */
  | { kind: 'connection'; id: number; surface: Surface; /** machineMs() */ givenAtMs: number }
  /** The answer to `late`: false where another worker was given it. */
  | { kind: 'verdict'; id: number; isYours: boolean }
  /** No port is listened at any more, and nobody waits there: nothing new will come. */
  | { kind: 'closed' }
  /** Whether it is there. */
  | { kind: 'beat' }
  | { kind: 'ask'; id: number; question: Question }
  | { kind: 'stop'; signal: StopSignal };

/** From a worker to the primary process. */
export type ToPrimary =
  /** It may be given connections. */
  | { kind: 'serving' }
  /** A connection is its own now. */
  | { kind: 'taken'; id: number }
  /** It said so too late to be sure that it was not given to another, and waits for the verdict before it reads. */
  | { kind: 'late'; id: number }
  /** It is there. */
  | { kind: 'beat' }
  | { kind: 'answer'; id: number; answer: Answers[Question] }
  /** It is about to close, as soon as nothing new can come. */
  | { kind: 'closing' }
  /** It could not start. */
  | { kind: 'failed'; because: string };
