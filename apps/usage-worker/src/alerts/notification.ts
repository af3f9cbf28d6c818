import type { AlertLabels, AlertMetric } from '@deja/contracts';

/** One alert as receivers are told of it. */
export interface ToldAlert {
  alert: string;
  state: 'firing' | 'resolved';
  metric: AlertMetric;
  /** null where it ended because nothing can be said of it any more, or its rule was changed. */
  value: number | null;
  threshold: number | null;
  /** When `value` was seen, where that is more than two minutes ago: nothing has been known since. Absent otherwise. */
  seen_at?: string;
  labels: AlertLabels;
  /** RFC 3339, UTC. */
  started_at: string;
  resolved_at: string | null;
}

/** What a receiver gets. Where several alerts are told together, the members of ToldAlert are those of the first, and `labels` what all have in common. */
export interface Notification extends ToldAlert {
  /** The same whenever this is sent again: who has seen it need not look at it. */
  id: string;
  /** All that are told together; absent where it is one. */
  alerts?: ToldAlert[];
  /** How many more there are than `alerts` shows; absent where it shows all. */
  more?: number;
  /** How many alerts the rule would have beyond the 1,000 that one rule may have; absent where it has fewer. */
  cut?: number;
  /** It was made by hand, to see whether it arrives. Absent otherwise. */
  test?: true;
}
