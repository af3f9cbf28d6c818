import { DejaError, type Deployment } from '@deja/contracts';

/** Azure's paths below one deployment under a dated api-version; everything else belongs to the resource (Azure OpenAI REST API reference). */
const OF_A_DEPLOYMENT = /^(chat\/completions|completions|embeddings|images\/.+|audio\/.+)$/;

/** Versions that are none: the v1 API has no dates (Azure: API version lifecycle). */
const V1 = new Set(['', 'v1', 'latest', 'preview']);

/** Names and values in order; a name may come more than once. */
export type QueryPairs = readonly (readonly [name: string, value: string])[];

/**
 * The URL of one call. Throws `invalid_value` where a model or an id is `.` or `..`: no spelling of these survives in a URL.
 * @param deployment `openai`: base URL with its version; `azure-openai`: the resource's host, `/openai`, `/v1` or both at its end are tolerated
 * @param path below the base URL, such as `chat/completions`; ids in it are made safe by `idSegment`
 * @param query what the client asked for in its own query; an `api-version` in it gives way to the configured one
 */
export function addressOf(deployment: Addressed, upstreamModel: string, path: string, query: QueryPairs = []): string {
  if (query.length > 0) return madeAddress(deployment, upstreamModel, path, query);
  const known = addressesOf(deployment);
  const name = `${path} ${upstreamModel}`;
  const address = known.get(name);
  if (address !== undefined) return address;
  const made = madeAddress(deployment, upstreamModel, path, query);
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(name, made);
  return made;
}

type Addressed = Pick<Deployment, 'kind' | 'baseUrl' | 'apiVersion'>;

/** Of one deployment: models may be named by clients, and objects have paths of their own. */
const MOST_KNOWN = 100;
/** Deployments stay the same objects as long as a snapshot is in force, and most calls go to one path of each. */
const addresses = new WeakMap<Addressed, Map<string, string>>();

function addressesOf(deployment: Addressed): Map<string, string> {
  const known = addresses.get(deployment);
  if (known !== undefined) return known;
  const none = new Map<string, string>();
  addresses.set(deployment, none);
  return none;
}

function madeAddress(deployment: Addressed, upstreamModel: string, path: string, query: QueryPairs): string {
  const url = new URL(deployment.baseUrl);
  const safePath = path.split('/').map(safeSegment).join('/');
  const base = url.pathname.replace(/\/+$/, '');
  for (const [name, value] of query) url.searchParams.append(name, value);
  if (deployment.kind !== 'azure-openai') {
    url.pathname = `${base}/${safePath}`;
    return url.href;
  }
  const version = deployment.apiVersion ?? '';
  const resource = base.replace(/(\/openai)?(\/v1)?$/, '');
  url.searchParams.delete('api-version');
  if (V1.has(version)) {
    url.pathname = `${resource}/openai/v1/${safePath}`;
    if (version === 'preview') url.searchParams.set('api-version', version);
  } else {
    url.pathname = OF_A_DEPLOYMENT.test(path) ? `${resource}/openai/deployments/${modelSegment(upstreamModel)}/${safePath}` : `${resource}/openai/${safePath}`;
    url.searchParams.set('api-version', version);
  }
  return url.href;
}

/** An id as one segment of a path: no character of it can end the segment. */
export const idSegment = (id: string): string => encodeURIComponent(id.toWellFormed());

function modelSegment(model: string): string {
  if (isDots(model)) throw new DejaError('invalid_value', `The model cannot be named "${model}".`, { param: 'model' });
  return idSegment(model);
}

/** Leaves what is encoded as it is, and encodes the rest. */
function safeSegment(segment: string): string {
  if (segment === '' || isDots(segment)) throw new DejaError('invalid_value', `"${segment}" is no id.`);
  return segment.replace(/%[0-9a-f]{2}|[^%]+|%/gi, (part) => (part.length === 3 && part.startsWith('%') ? part : idSegment(part)));
}

/** URLs take `%2e` for a dot, too (WHATWG URL, section 4.4). */
const isDots = (segment: string): boolean => /^(\.|%2e){1,2}$/i.test(segment);
