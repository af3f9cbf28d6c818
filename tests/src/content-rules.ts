import { createHash } from 'node:crypto';
import type { FakeProvider, TestCluster } from '@deja/testing';
import { eventually, sdk } from './client.ts';

let written = 0;

/** deja.yaml in which `provider` serves every model under these content rules, and `judge`, if given, the model `moderator`. `marker` is a model that is there for its name. */
export function configUnder(rules: object, provider: FakeProvider, judge: FakeProvider | null = null, marker = 'rules-0'): object {
  const credentials = [{ name: 'a', value: 'sk-upstream-a' }];
  const named = (upstream: string, model: string): object => ({ name: model, deployments: [{ provider: upstream, model: model === 'moderator' ? 'omni-moderation-latest' : model }] });
  // A name of its own each time: what the router thinks of the last one, which a test may have had fail, is not held against it.
  const judging = `judge-${marker}`;
  return {
    providers: {
      fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials },
      ...(judge && { [judging]: { kind: 'openai', server: 'openai', base_url: judge.url, credentials } }),
    },
    models: [named('fake', '*'), named('fake', marker), ...(judge ? [named(judging, 'moderator')] : [])],
    content_safety: rules,
  };
}

/** Puts these content rules into force; resolves when the gateway has them. */
export async function putInForce(cluster: TestCluster, rules: object, provider: FakeProvider, judge: FakeProvider | null = null): Promise<void> {
  const marker = `rules-${++written}`;
  await cluster.configure(configUnder(rules, provider, judge, marker));
  await eventually('the new rules at the gateway', async () => (await sdk(cluster).models.list()).data.some(({ id }) => id === marker));
}

/** A GitHub token by its form; another one for every `n`. */
export const githubToken = (n: number): string => `ghp_${createHash('sha256').update(`token ${n}`).digest('hex').slice(0, 36)}`;
