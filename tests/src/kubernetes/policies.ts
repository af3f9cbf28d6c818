// What the schemas do not ask for and an operator does: rights, limits, probes, and that everything that is named is there.
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import type { KubernetesObject } from './objects.ts';
import { namesComplaints } from './references.ts';
import { labelsOf, of, ofKind, podOf, selects, workloadsOf, type Workload } from './workloads.ts';

/** Ten minutes: `timeouts.total_ms` unless deja.yaml says otherwise. */
const LONGEST_STREAM_S = 600;

/** All that is wrong with the objects of one installation, each complaint with the object's id. `secrets` are keys that the operator brings, by Secret. */
export function policyComplaints(objects: KubernetesObject[], secrets: Record<string, string[]>): string[] {
  const workloads = workloadsOf(objects);
  return [
    ...workloads.flatMap((workload) => of(workload, [...podComplaints(podOf(workload)), ...drainComplaints(podOf(workload))])),
    ...ofKind(objects, 'Deployment').flatMap((deployment) => of(deployment, rolloutComplaints(deployment))),
    ...targetComplaints(objects, workloads),
    ...serviceComplaints(objects, workloads),
    ...namesComplaints(objects, secrets),
  ];
}

/** Complaints for each of the conditions that does not hold. */
function unless(conditions: Record<string, boolean>): string[] {
  return Object.entries(conditions).flatMap(([complaint, holds]) => (holds ? [] : [complaint]));
}

function podComplaints(pod: IPodSpec): string[] {
  const { securityContext: security = {} } = pod;
  return [
    ...unless({
      'may run as root': security.runAsNonRoot === true && (security.runAsUser ?? 0) > 0,
      'has no seccomp profile': security.seccompProfile?.type === 'RuntimeDefault',
      'gets a token of the Kubernetes API': pod.automountServiceAccountToken === false,
      'gets variables made of Services': pod.enableServiceLinks === false,
      'shares something with its node': ![pod.hostNetwork, pod.hostPID, pod.hostIPC].includes(true) && !(pod.volumes ?? []).some((volume) => volume.hostPath !== undefined),
      'has an emptyDir without a limit': (pod.volumes ?? []).every(({ emptyDir }) => emptyDir === undefined || emptyDir.sizeLimit !== undefined),
    }),
    ...[...pod.containers, ...(pod.initContainers ?? [])].flatMap((container) => containerComplaints(container).map((complaint) => `${container.name} ${complaint}`)),
  ];
}

const RESOURCES = ['cpu', 'memory', 'ephemeral-storage'];

function containerComplaints(container: IContainer): string[] {
  const { image = '', resources = {}, securityContext: security = {} } = container;
  const [, tag = ''] = /:([^:/]+)$/.exec(image) ?? [];
  return unless({
    [`has no fixed version: ${image}`]: tag !== '' && tag !== 'latest',
    'can write to its root': security.readOnlyRootFilesystem === true,
    'can gain privileges': security.allowPrivilegeEscalation === false && security.privileged !== true,
    'keeps capabilities': security.capabilities?.drop?.includes('ALL') === true && (security.capabilities.add ?? []).length === 0,
    'lacks requests': RESOURCES.every((name) => resources.requests?.[name] !== undefined),
    'lacks limits': RESOURCES.every((name) => resources.limits?.[name] !== undefined),
    'lacks a probe': container.startupProbe !== undefined && container.readinessProbe !== undefined && container.livenessProbe !== undefined,
    'has the same probe for living and being ready': container.name === 'redis' || container.name === 'postgres' || container.livenessProbe?.httpGet?.path !== container.readinessProbe?.httpGet?.path,
  });
}

/** A stream that is under way when its pod is to end has the time to end. */
function drainComplaints(pod: IPodSpec): string[] {
  const delay = pod.containers.flatMap(({ env }) => env ?? []).find(({ name }) => name === 'DEJA_DRAIN_DELAY_S')?.value;
  if (delay === undefined) return [];
  const graceS = pod.terminationGracePeriodSeconds ?? 30;
  return unless({ [`is killed after ${graceS} s, before its longest stream has ended`]: graceS > Number(delay) + LONGEST_STREAM_S });
}

function rolloutComplaints({ spec }: IDeployment): string[] {
  const labels = spec?.selector.matchLabels ?? {};
  const spread = spec?.template.spec?.topologySpreadConstraints ?? [];
  const apart = spec?.template.spec?.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return unless({
    'takes a pod away before another is ready': spec?.strategy?.type === 'RollingUpdate' && spec.strategy.rollingUpdate?.maxUnavailable === 0,
    'is not spread over zones': spread.some((one) => one.topologyKey === 'topology.kubernetes.io/zone' && selects(one.labelSelector?.matchLabels, labels)),
    'is not kept apart on hosts': apart.some(({ podAffinityTerm: term }) => term.topologyKey === 'kubernetes.io/hostname' && selects(term.labelSelector?.matchLabels, labels)),
    'does not select its own pods': selects(labels, spec?.template.metadata?.labels ?? {}),
  });
}

function targetComplaints(objects: KubernetesObject[], workloads: Workload[]): string[] {
  const scaled = ofKind(objects, 'HorizontalPodAutoscaler');
  const budgets = ofKind(objects, 'PodDisruptionBudget');
  const targetOf = (one: IHorizontalPodAutoscaler): Workload | undefined => workloads.find(({ kind, metadata }) => kind === one.spec?.scaleTargetRef.kind && metadata?.name === one.spec.scaleTargetRef.name);
  return [
    ...scaled.flatMap((one) => {
      const target = targetOf(one);
      const least = one.spec?.minReplicas ?? 1;
      const most = one.spec?.maxReplicas ?? 0;
      return of(one, unless({ 'scales nothing that is there': target !== undefined, 'is at odds with the replicas of its target': target?.spec?.replicas === undefined, 'has no room to scale': least < most }));
    }),
    ...budgets.flatMap((one) => of(one, unless({ 'protects not exactly one workload': workloads.filter((workload) => selects(one.spec?.selector?.matchLabels, labelsOf(workload))).length === 1 }))),
    ...ofKind(objects, 'Deployment').flatMap((deployment) => of(deployment, unless({ 'has no disruption budget': budgets.some((one) => selects(one.spec?.selector?.matchLabels, labelsOf(deployment))) }))),
  ];
}

function serviceComplaints(objects: KubernetesObject[], workloads: Workload[]): string[] {
  const services = ofKind(objects, 'Service');
  const ofServices = services.flatMap((service) => {
    const behind = workloads.filter((workload) => selects(service.spec?.selector, labelsOf(workload)));
    const ports = behind.flatMap((workload) => podOf(workload).containers.flatMap((container) => container.ports ?? []));
    const missing = (service.spec?.ports ?? []).filter(({ targetPort }) => !ports.some(({ name, containerPort }) => targetPort === name || targetPort === containerPort));
    return of(service, unless({ 'selects not exactly one workload': behind.length === 1, [`leads to ports that nobody has: ${missing.map(({ name }) => name ?? '').join(', ')}`]: missing.length === 0 }));
  });
  const backends = ofKind(objects, 'Ingress').flatMap((ingress) => (ingress.spec?.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => ({ ingress, to: backend.service }))));
  const ofIngresses = backends.flatMap(({ ingress, to }) =>
    of(ingress, unless({ 'leads to no Service': services.some(({ metadata, spec }) => metadata?.name === to?.name && (spec?.ports ?? []).some(({ name, port }) => name === to?.port?.name || port === to?.port?.number)) })));
  return [...ofServices, ...ofIngresses];
}
