import type { Candidate } from '@deja/contracts';
import { anthropic } from './anthropic/anthropic.ts';
import { gemini } from './gemini/gemini.ts';
import { paramsOf, serverOf, type Endpoint } from './openai/compatible-servers.ts';
import { refusedParam, type ParamTable } from './params.ts';

export type Unsuited = { param: string | null; message: string } | null;

/** What becomes of the parameters of a chat completion at this candidate's provider. */
export function chatParams({ deployment }: Pick<Candidate, 'deployment'>): ParamTable {
  switch (deployment.kind) {
    case 'anthropic':
      return anthropic.params;
    case 'gemini':
      return gemini(deployment.apiVersion).params;
    case 'openai':
    case 'azure-openai':
      return paramsOf(serverOf(deployment), 'chat/completions');
    case 'simulated':
      return {};
  }
}

/** Why a chat completion with these parameters would be another one at this candidate; null when it would not. */
export function unsuitedForChat(body: Readonly<Record<string, unknown>>, candidate: Pick<Candidate, 'deployment' | 'upstreamModel'>): Unsuited {
  return refusal(refusedParam(chatParams(candidate), body), candidate);
}

/** Why this candidate cannot be given a request as it stands: its provider has no such endpoint, or would not honour a parameter. */
export function unsuitedAsItIs(endpoint: Endpoint, body: Readonly<Record<string, unknown>>, candidate: Pick<Candidate, 'deployment'>): Unsuited {
  return offers(candidate, endpoint) ? refusal(refusedParam(paramsOf(serverOf(candidate.deployment), endpoint), body), candidate) : lacks(candidate, endpoint);
}

const refusal = (refused: ReturnType<typeof refusedParam>, { deployment }: Pick<Candidate, 'deployment'>): Unsuited =>
  refused && { param: refused.param, message: `Unsupported parameter '${refused.param}' for provider ${deployment.provider}: ${refused.reason}.` };

/** Whether the candidate's provider has this endpoint in OpenAI's own form. */
export function offers({ deployment }: Pick<Candidate, 'deployment'>, endpoint: Endpoint): boolean {
  return (deployment.kind === 'openai' || deployment.kind === 'azure-openai') && serverOf(deployment).endpoints.includes(endpoint);
}

/** The refusal for an endpoint that this provider does not have. */
export const lacks = ({ deployment }: Pick<Candidate, 'deployment'>, endpoint: string): Unsuited => ({
  param: 'model',
  message: `The provider ${deployment.provider} of this model has no ${endpoint}`,
});
