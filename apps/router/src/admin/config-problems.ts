import { checkConfig, type Environment } from '@deja/config';
import type { ReplyOf } from '@deja/admin-api';

type Verdict = ReplyOf<'validateConfig'>;

/**
 * Whether a deja.yaml would do here. Who may ask need not be one who may read the files and the environment of this machine, so none is looked at: not for a
 * sentence, and not for the verdict, by which somebody could find out about a value question by question.
 */
export function configVerdict(yaml: string, environment: Pick<Environment, 'openaiApiKeys' | 'openaiBaseUrl'>): Verdict {
  const { errors, warnings } = checkConfig(yaml, environment);
  return { valid: errors.length === 0, errors, warnings };
}
