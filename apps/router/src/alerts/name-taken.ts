import { DejaError } from '@deja/contracts';

export const nameTaken = (name: string, cause?: unknown): DejaError =>
  new DejaError('conflict', `There is an alert rule ${JSON.stringify(name)} already, of this API or of deja.yaml: choose another name.`, { param: 'name', cause });
