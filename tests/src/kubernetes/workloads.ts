import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import type { IIngress } from 'kubernetes-models/networking.k8s.io/v1/Ingress';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import type { IService } from 'kubernetes-models/v1/Service';
import type { KubernetesObject } from './objects.ts';

/** What makes pods. */
export type Workload = IDeployment | IStatefulSet;

interface Kinds {
  Deployment: IDeployment;
  StatefulSet: IStatefulSet;
  Service: IService;
  HorizontalPodAutoscaler: IHorizontalPodAutoscaler;
  PodDisruptionBudget: IPodDisruptionBudget;
  Ingress: IIngress;
  NetworkPolicy: INetworkPolicy;
}

/** The objects of a kind, which the schemas have found to be such. */
export function ofKind<K extends keyof Kinds>(objects: KubernetesObject[], kind: K): Kinds[K][] {
  return objects.filter((object) => object.kind === kind) as unknown as Kinds[K][];
}

export function workloadsOf(objects: KubernetesObject[]): Workload[] {
  return [...ofKind(objects, 'Deployment'), ...ofKind(objects, 'StatefulSet')];
}

export function podOf({ spec }: Workload): IPodSpec {
  return spec?.template.spec ?? { containers: [] };
}

/** Complaints with the id of whom they are about. */
export function of({ kind, metadata }: { kind: string; metadata?: { name?: string } }, complaints: string[]): string[] {
  return complaints.map((complaint) => `${kind}/${metadata?.name ?? '?'}: ${complaint}`);
}

/** Whether pods with these labels are selected; a selector without labels, which would select all, selects none here. */
export function selects(selector: Record<string, string> | undefined, labels: Record<string, string>): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/** Of its pods. */
export function labelsOf(workload: Workload): Record<string, string> {
  return workload.spec?.template.metadata?.labels ?? {};
}
