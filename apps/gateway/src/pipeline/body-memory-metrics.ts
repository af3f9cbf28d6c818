import type { Meter } from '@opentelemetry/api';
import { BodyMemory } from './body-memory.ts';

/** Room for so many bytes of bodies, whose use is measured. */
export function measuredBodyMemory(meter: Meter, mostBytes: number): BodyMemory {
  const refusals = meter.createCounter('deja.gateway.bodies.refused', { description: 'Requests refused because the bodies that were on their way took all the memory they may take' });
  refusals.add(0);
  const memory = new BodyMemory(mostBytes, () => refusals.add(1));
  meter.createObservableGauge('deja.gateway.bodies.held', { unit: 'By', description: 'Bytes of bodies that are on their way in' }).addCallback((gauge) => gauge.observe(memory.heldBytes));
  return memory;
}
