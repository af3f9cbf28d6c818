import type { StateWord } from './panels.ts';

/** States of a credential as routers publish them (`apps/router/src/pool/states.ts`), the best first. */
export const CREDENTIAL_STATES: readonly StateWord[] = [
  { word: 'available', color: 'green' },
  { word: 'probation', color: 'yellow' },
  { word: 'rate_limited', color: 'light-orange' },
  { word: 'exhausted', color: 'purple' },
  { word: 'rejected', color: 'dark-red' },
  { word: 'forbidden', color: 'dark-orange' },
  { word: 'failing', color: 'red' },
];

/** Those of a deployment. */
export const DEPLOYMENT_STATES: readonly StateWord[] = [...CREDENTIAL_STATES, { word: 'drained', color: 'blue' }, { word: 'no_credential', color: 'dark-purple' }];
