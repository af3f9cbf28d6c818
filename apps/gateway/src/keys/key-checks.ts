import { DejaError, type Principal } from '@deja/contracts';
import { isInNetworks } from './client-address.ts';

/** Throws `network_not_allowed` where the key may not be used from this address; null is an address that cannot be told. */
export function checkNetwork({ networks }: Pick<Principal, 'networks'>, address: string | null): void {
  if (networks === null || (address !== null && isInNetworks(address, networks))) return;
  throw new DejaError('network_not_allowed', `This API key may not be used from ${address ?? 'an unknown address'}. Send the request from a network the key is for, or have this one added to the key's networks.`);
}

/** Throws `endpoint_not_allowed` where the key may not be used for this endpoint: a path below `/v1/`, as `files/{id}/content`. */
export function checkEndpoint({ endpoints }: Pick<Principal, 'endpoints'>, endpoint: string): void {
  if (endpoints === null || endpoints.some((allowed) => endpoint === allowed || endpoint.startsWith(`${allowed}/`))) return;
  throw new DejaError('endpoint_not_allowed', `This API key may not be used for /v1/${endpoint.slice(0, 64)}. Use a key that may, or have the endpoint added to this key's endpoints.`);
}
