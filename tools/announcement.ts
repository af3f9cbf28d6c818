import type { Cluster } from '@deja/launcher';

const MODELS_DEADLINE_MS = 5_000;
const SIMULATED = 'simulated';
/** Sent where the configuration serves any name. */
const ANY_MODEL = 'gpt-4o-mini';

/** What a person needs to make a first call, as plain text for standard output; logs go elsewhere, so the key is in none. */
export async function announcement(cluster: Pick<Cluster, 'baseUrl' | 'adminUrl' | 'key'>, about: { adminKeyFile: string; tookMs: number }): Promise<string> {
  const models = await servedModels(cluster);
  const model = models.find((name) => !name.includes('*')) ?? (models.length === 0 ? SIMULATED : ANY_MODEL);
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello.' }] });
  const curl = `curl ${cluster.baseUrl}/v1/chat/completions -H 'authorization: Bearer ${cluster.key}' -H 'content-type: application/json' -d '${body.replaceAll("'", "'\\''")}'`;
  const simulated = models.length === 1 && model === SIMULATED ? '\n  No provider is configured: the answers of model "simulated" are made up. Set OPENAI_API_KEY or write deja.yaml.\n' : '';
  return `
deja is ready (${(about.tookMs / 1000).toFixed(1)} s).

  Base URL    ${cluster.baseUrl}/v1
  Client key  ${cluster.key}
${adminLines(cluster.adminUrl, about.adminKeyFile)}
${simulated}
Try it:

${curl}

`;
}

const adminLines = (adminUrl: string | null, keyFile: string): string =>
  adminUrl === null ? '  Admin API   none (DEJA_ADMIN=off)' : `  Admin API   ${adminUrl}/admin/v1\n  Admin key   in ${keyFile}\n  Keys, usage npx deja --help`;

/** The public model names, in the configuration's order; empty when they cannot be had. */
async function servedModels(cluster: Pick<Cluster, 'baseUrl' | 'key'>): Promise<string[]> {
  try {
    const answer = await fetch(`${cluster.baseUrl}/v1/models`, { headers: { authorization: `Bearer ${cluster.key}` }, signal: AbortSignal.timeout(MODELS_DEADLINE_MS) });
    const list = (await answer.json()) as { data?: { id?: unknown }[] };
    return (list.data ?? []).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
  } catch {
    return []; // the announcement is worth making without it
  }
}
