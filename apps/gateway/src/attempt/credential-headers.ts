import type { ProviderKind } from '@deja/contracts';

/** The header in which each kind of provider takes its credential. */
export function credentialHeaders(kind: ProviderKind, credential: string): Record<string, string> {
  switch (kind) {
    case 'anthropic':
      return { 'x-api-key': credential };
    case 'gemini':
      return { 'x-goog-api-key': credential };
    case 'azure-openai':
      return { 'api-key': credential };
    case 'openai':
    case 'simulated':
      return { authorization: `Bearer ${credential}` };
  }
}
