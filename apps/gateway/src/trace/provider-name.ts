import type { Deployment } from '@deja/contracts';
import { serverOf } from '../dialects/openai/compatible-servers.ts';

/** Well-known values of `gen_ai.provider.name` for OpenAI-compatible servers, where they are not the server's own name. */
const WELL_KNOWN: Readonly<Record<string, string>> = { mistral: 'mistral_ai', xai: 'x_ai' };

type Named = Pick<Deployment, 'provider' | 'kind' | 'baseUrl' | 'server'>;

/** Deployments stay the same objects as long as a snapshot is in force. */
const known = new WeakMap<Named, string>();

/** `gen_ai.provider.name`: whose API it is, as the conventions name it. A server that nobody knows has the name that deja.yaml gives it. */
export function genAiProvider(deployment: Named): string {
  const name = known.get(deployment) ?? nameOf(deployment);
  known.set(deployment, name);
  return name;
}

function nameOf(deployment: Named): string {
  switch (deployment.kind) {
    case 'anthropic':
      return 'anthropic';
    case 'gemini':
      return 'gcp.gemini';
    case 'azure-openai':
      return 'azure.ai.openai';
    case 'simulated':
      return deployment.provider;
    case 'openai': {
      const { name } = serverOf(deployment);
      return name === 'generic' ? deployment.provider : (WELL_KNOWN[name] ?? name);
    }
  }
}
