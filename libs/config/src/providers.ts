import type { CredentialConfig, ProviderConfig } from './deja-config.ts';
import type { FormProblem } from './form.ts';
import { baseUrlProblem } from './outbound.ts';
import { poolOf } from './references.ts';
import type { FileProvider } from './schema.ts';
import { Secret } from './secret.ts';

export const OPENAI_BASE_URL = 'https://api.openai.com/v1';

/** Where a provider is unless the file says so; an Azure resource has an address of its own. */
const DEFAULT_BASE_URL: Partial<Record<FileProvider['kind'], string>> = {
  openai: OPENAI_BASE_URL,
  anthropic: 'https://api.anthropic.com',
  gemini: 'https://generativelanguage.googleapis.com',
};
/** Where people keep each provider's key. */
const KEY_VARIABLE: Record<FileProvider['kind'], string> = {
  openai: 'OPENAI_API_KEY',
  'azure-openai': 'AZURE_OPENAI_API_KEY',
  anthropic: 'ANTHROPIC_API_KEY',
  gemini: 'GEMINI_API_KEY',
  simulated: '',
};

/** The provider as it stands in the file, with its credentials' pools unfolded. Adds what is wrong with it to `problems`. */
export function providerOf(name: string, file: FileProvider, problems: FormProblem[]): ProviderConfig {
  const path = ['providers', name];
  const provider: ProviderConfig = {
    name,
    kind: file.kind,
    baseUrl: withoutSlash(file.base_url ?? DEFAULT_BASE_URL[file.kind] ?? ''),
    apiVersion: file.api_version ?? null,
    server: file.server ?? null,
    keyed: file.kind !== 'simulated' && file.credentials !== undefined,
    credentials: file.kind === 'simulated' ? [] : credentialsOf(name, file, problems),
  };
  if (file.kind === 'simulated') provider.baseUrl = '';
  if (file.server !== undefined && file.kind !== 'openai') {
    problems.push({ path: [...path, 'server'], message: `says which OpenAI-compatible server this is, and kind ${file.kind} is none: take it out` });
  }
  if (file.kind === 'azure-openai' && file.base_url === undefined) {
    const own = file.credentials ?? [];
    const eachHasItsOwn = own.length > 0 && own.every((credential) => credential.base_url !== undefined);
    if (!eachHasItsOwn) problems.push({ path, message: 'base_url is missing: write the resource, such as base_url: https://my-resource.openai.azure.com, here or with every credential' });
    return provider;
  }
  const wrongUrl = file.kind === 'simulated' ? null : baseUrlProblem(provider.baseUrl);
  if (wrongUrl !== null) problems.push({ path: [...path, 'base_url'], message: wrongUrl });
  if (file.base_url === undefined && file.kind !== 'simulated' && file.credentials === undefined) {
    problems.push({
      path,
      message: `credentials are missing: write credentials: [{ name: main, value: "\${env:${KEY_VARIABLE[file.kind]}}" }], credentials: [] where they come by the admin API, or a base_url of a server that needs none`,
    });
  }
  return provider;
}

/** What OPENAI_API_KEY and OPENAI_BASE_URL make. */
export function openaiFromEnvironment(keys: string[], baseUrl: string | null): ProviderConfig {
  return {
    name: 'openai',
    kind: 'openai',
    baseUrl: withoutSlash(baseUrl ?? OPENAI_BASE_URL),
    apiVersion: null,
    server: null,
    keyed: keys.length > 0,
    credentials: pool('openai', { name: 'main', weight: 1, limits: {}, baseUrl: null }, keys),
  };
}

export function simulatedProvider(): ProviderConfig {
  return { name: 'simulated', kind: 'simulated', baseUrl: '', apiVersion: null, server: null, keyed: false, credentials: [] };
}

function credentialsOf(provider: string, file: FileProvider, problems: FormProblem[]): CredentialConfig[] {
  const credentials: CredentialConfig[] = [];
  const seen = new Set<string>();
  file.credentials?.forEach((entry, index) => {
    const path = ['providers', provider, 'credentials', index];
    const values = poolOf(entry.value);
    if (values.length === 0) problems.push({ path: [...path, 'value'], message: 'holds no value between its commas: write one' });
    if (values.some((value) => !/^[\x21-\x7e]+$/.test(value) || value.includes('${'))) {
      problems.push({ path: [...path, 'value'], message: 'must be printable ASCII without blanks: write the value itself, ${env:NAME} or ${file:/path}' });
    }
    const baseUrl = entry.base_url === undefined ? null : withoutSlash(entry.base_url);
    const wrongUrl = baseUrl === null ? null : baseUrlProblem(baseUrl);
    if (wrongUrl !== null) problems.push({ path: [...path, 'base_url'], message: wrongUrl });
    for (const credential of pool(provider, { ...entry, baseUrl }, values)) {
      if (seen.has(credential.name)) {
        problems.push({ path: [...path, 'name'], message: `the name ${JSON.stringify(credential.name)} is used twice in this provider: choose another` });
      }
      seen.add(credential.name);
      credentials.push(credential);
    }
  });
  return credentials;
}

/** One credential per value. Several are numbered from 1; each has the weight, the limits and the address of the entry. */
function pool(provider: string, entry: Pick<CredentialConfig, 'name' | 'weight' | 'limits' | 'baseUrl'>, values: string[]): CredentialConfig[] {
  return values.map((value, index) => {
    const name = values.length === 1 ? entry.name : `${entry.name}-${index + 1}`;
    return { id: `${provider}/${name}`, name, value: new Secret(value), weight: entry.weight, limits: entry.limits, baseUrl: entry.baseUrl };
  });
}

const withoutSlash = (baseUrl: string): string => baseUrl.replace(/\/+$/, '');
