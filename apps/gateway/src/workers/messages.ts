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
  | { kind: 'connection'; id: number; surface: Surface }
  | { kind: 'ask'; id: number; question: Question }
  | { kind: 'stop'; signal: StopSignal };

/** From a worker to the primary process. */
export type ToPrimary =
  /** It may be given connections. */
  | { kind: 'serving' }
  /** A connection is its own now. */
  | { kind: 'taken'; id: number }
  | { kind: 'answer'; id: number; answer: Answers[Question] }
  /** It is to be given nothing new any more. */
  | { kind: 'closing' }
  /** It could not start. */
  | { kind: 'failed'; because: string };
