import { DejaError } from '@deja/contracts';
import { parseJsonBody, withMembers } from './validate/json-body.ts';

/** Azure's paths below one deployment; the model stands in the body or form, too, as Azure's SDKs send it. */
const OF_A_DEPLOYMENT = /^\/openai\/deployments\/[^/?]+\/((?:chat\/completions|completions|embeddings|images|audio)(?:\/[^?]*)?)(?:\?(.*))?$/;
const OF_THE_RESOURCE = /^\/openai\/(?:v1\/)?((?:chat\/completions|completions|embeddings|moderations|responses|images|audio|files|batches|models)(?:\/[^?]*)?)(?:\?(.*))?$/;

/**
 * The address that a client of Azure OpenAI means, as ours (Azure OpenAI REST API reference: data plane inference): a team that
 * uses Azure's SDK changes its endpoint and nothing else. Any other URL is returned as it is.
 */
export function fromAzurePath(url: string): string {
  const match = OF_A_DEPLOYMENT.exec(url) ?? OF_THE_RESOURCE.exec(url);
  if (match === null) return url;
  const query = (match[2] ?? '').split('&').filter((pair) => pair !== '' && !/^api-version(=|$)/i.test(pair));
  return `/v1/${match[1]}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

/** The model that an address of Azure's names by its deployment; null for any other address. */
export function modelInAzurePath(url: string): string | null {
  const segment = /^\/openai\/deployments\/([^/?]+)\//.exec(url)?.[1];
  if (segment === undefined || !OF_A_DEPLOYMENT.test(url)) return null;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // no encoded text: it is a name as it stands
  }
}

/** The body with the model of the address, where the client left it to that; throws a 400 when the two name different models. */
export function withModelOfPath(bytes: Buffer, url: string): Buffer {
  const model = modelInAzurePath(url);
  if (model === null) return bytes;
  const body = parseJsonBody(bytes);
  const own = body.value['model'];
  if (own === undefined || own === null) return Buffer.from(withMembers(body, { model: JSON.stringify(model) }));
  if (own === model) return bytes;
  throw new DejaError('invalid_value', 'The address and the body name two different models.', { param: 'model' });
}
