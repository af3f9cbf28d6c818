// Who may talk to whom, as the network policies say it.
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { INetworkPolicyPeer } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyPeer';
import type { KubernetesObject } from './objects.ts';
import { labelsOf, ofKind, podOf, workloadsOf, type Workload } from './workloads.ts';

const COMPONENT = 'app.kubernetes.io/component';
const NAMESPACE = 'kubernetes.io/metadata.name';
const EVERYBODY_BUT_PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];

type Selector = NonNullable<NonNullable<INetworkPolicy['spec']>['podSelector']>;
type Port = NonNullable<NonNullable<NonNullable<INetworkPolicy['spec']>['egress']>[number]['ports']>[number];

/**
 * Every connection that is allowed, sorted: `gateway → public addresses:443`, `monitoring → router:9461` (a namespace), `anyone → gateway:3000`.
 * A pod that a policy of its direction does not select may do all: that is an arrow to or from `anyone:any port`.
 */
export function allowedArrows(objects: KubernetesObject[]): string[] {
  const policies = ofKind(objects, 'NetworkPolicy');
  const workloads = workloadsOf(objects);
  const arrows = workloads.flatMap((workload) => {
    const name = componentOf(workload);
    const own = policies.filter(({ spec }) => selectsPod(spec?.podSelector, workload));
    const into = own.filter(({ spec }) => spec?.policyTypes?.includes('Ingress'));
    const out = own.filter(({ spec }) => spec?.policyTypes?.includes('Egress'));
    const ingress = into.flatMap(({ spec }) => spec?.ingress ?? []).flatMap(({ from, ports }) => peersOf(from).flatMap((peer) => portsOf(ports, [workload]).map((port) => `${peer} → ${name}:${port}`)));
    const egress = out.flatMap(({ spec }) => spec?.egress ?? []).flatMap(({ to, ports }) => peersOf(to).flatMap((peer) => portsOf(ports, workloads.filter((one) => componentOf(one) === peer)).map((port) => `${name} → ${peer}:${port}`)));
    return [...(into.length === 0 ? [`anyone → ${name}:any port`] : ingress), ...(out.length === 0 ? [`${name} → anyone:any port`] : egress)];
  });
  return [...new Set(arrows)].sort();
}

function componentOf(workload: Workload): string {
  return labelsOf(workload)[COMPONENT] ?? '?';
}

/** In a policy an empty selector means every pod. */
function selectsPod(selector: Selector | undefined, workload: Workload): boolean {
  const labels = labelsOf(workload);
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value) && matchExpressions.every(({ key, operator, values = [] }) => {
    if (operator !== 'In') throw new Error(`${operator} in a selector is not known here; teach it to tests/src/kubernetes/arrows.ts`);
    return values.includes(labels[key] ?? '');
  });
}

function peersOf(peers: INetworkPolicyPeer[] | undefined): string[] {
  return peers === undefined || peers.length === 0 ? ['anyone'] : peers.map(peerName);
}

function peerName({ ipBlock, namespaceSelector, podSelector }: INetworkPolicyPeer): string {
  if (ipBlock !== undefined) {
    const { cidr, except = [] } = ipBlock;
    if (cidr === '0.0.0.0/0') return EVERYBODY_BUT_PRIVATE.every((network) => except.includes(network)) ? 'public addresses' : 'any address';
    if (cidr === '::/0') return except.includes('fc00::/7') ? 'public addresses' : 'any address';
    return EVERYBODY_BUT_PRIVATE.includes(cidr) ? 'private addresses' : cidr;
  }
  const pods = podSelector?.matchLabels ?? {};
  if (namespaceSelector === undefined) return pods[COMPONENT] ?? JSON.stringify(pods);
  const { [NAMESPACE]: name, ...labels } = namespaceSelector.matchLabels ?? {};
  const namespace = name ?? Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(',');
  return Object.keys(pods).length === 0 ? namespace : `${namespace} (${Object.values(pods).join(',')})`;
}

/** Numbers: a name means what each of the pods calls so. */
function portsOf(ports: Port[] | undefined, workloads: Workload[]): string[] {
  if (ports === undefined) return ['any port'];
  return ports.flatMap(({ port, protocol = 'TCP' }) => {
    const numbers = typeof port === 'number' ? [port] : workloads.flatMap((workload) => podOf(workload).containers.flatMap((container) => (container.ports ?? []).filter(({ name }) => name === port).map(({ containerPort }) => containerPort)));
    return numbers.map((number) => (protocol === 'TCP' ? `${number}` : `${number}/${protocol}`));
  });
}

/** Policies that select no pod, or name a port that no pod has: they say nothing, and someone thinks that they do. */
export function idlePolicies(objects: KubernetesObject[]): string[] {
  const workloads = workloadsOf(objects);
  return ofKind(objects, 'NetworkPolicy').flatMap(({ metadata, spec }) => {
    const selected = workloads.filter((workload) => selectsPod(spec?.podSelector, workload));
    const nowhere = (spec?.ingress ?? []).flatMap(({ ports }) => ports ?? []).filter((port) => portsOf([port], selected).length === 0);
    return selected.length === 0 || nowhere.length > 0 ? [`NetworkPolicy/${metadata?.name ?? '?'} selects no pod, or no port of one`] : [];
  });
}
