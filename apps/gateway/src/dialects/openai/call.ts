import type { Candidate } from '@deja/contracts';
import type { Exchange } from '../../attempt/exchange.ts';
import type { JsonBody } from '../../validate/json-body.ts';
import { addressOf } from './address.ts';
import { openAiBody } from './body.ts';
import { serverOf, type CompatibleServer, type Endpoint } from './compatible-servers.ts';
import { openAiFailure } from './failure.ts';

/** How an OpenAI-like provider is called at one of its endpoints: the client's own bytes, with what must change for this server. */
export function openAiCallOf(
  body: JsonBody,
  { deployment, upstreamModel }: Candidate,
  o: { endpoint: Endpoint; stream: boolean; includeUsage: boolean },
): Pick<Exchange, 'url' | 'headers' | 'body' | 'dropped' | 'failure'> & { server: CompatibleServer } {
  const server = serverOf(deployment);
  const { text, dropped } = openAiBody(body, { upstreamModel, server, ...o });
  return {
    server,
    // A simulated provider is nowhere.
    url: deployment.kind === 'simulated' ? '' : addressOf(deployment, upstreamModel, o.endpoint),
    headers: { 'content-type': 'application/json' },
    body: text,
    dropped,
    failure: (status, headers, failed) => openAiFailure(status, headers, failed, server),
  };
}
