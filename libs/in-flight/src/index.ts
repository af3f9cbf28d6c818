export { InFlightMap } from './in-flight-map.ts';
export { InFlightSet } from './in-flight-set.ts';
