import type { AlertLabels } from '@deja/contracts';

/** What is measured of one thing that an alert may be about. */
export interface Measured {
  labels: AlertLabels;
  /** In the metric's unit; null: too little is known to say anything. */
  value: number | null;
  /** Where it has one of its own; else the condition's holds. */
  threshold?: number;
}

/** A measured value and what it must not be above. */
export interface Reading {
  labels: AlertLabels;
  value: number | null;
  threshold: number;
}
