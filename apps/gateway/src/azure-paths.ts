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
