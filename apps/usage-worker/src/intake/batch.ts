import { z } from 'zod';

/** Events of one job. What is no batch at all counts as one event that nobody can read. */
export function eventsOf(data: unknown): unknown[] {
  const batch = z.object({ v: z.literal(1), events: z.array(z.unknown()) }).safeParse(data);
  return batch.success ? batch.data.events : [data];
}
