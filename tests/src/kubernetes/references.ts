// Whether everything exists that a pod names: ConfigMaps, Secrets and their keys, claims, service accounts, volumes, ports of probes.
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { isJsonObject, type KubernetesObject } from './objects.ts';
import { of, podOf, workloadsOf } from './workloads.ts';

interface Named {
  kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'ServiceAccount';
  name: string;
  /** null: the object as a whole. */
  key: string | null;
  optional: boolean;
}

/** Names that nothing has. `secrets` are keys that the operator brings, by Secret; what is there already, counts too. */
export function namesComplaints(objects: KubernetesObject[], secrets: Record<string, string[]>): string[] {
  const keys = new Map<string, string[]>(Object.entries(secrets).map(([name, all]) => [`Secret/${name}`, all]));
  for (const { kind, metadata, ...object } of objects) keys.set(`${kind}/${metadata.name}`, [...(keys.get(`${kind}/${metadata.name}`) ?? []), ...(isJsonObject(object['data']) ? Object.keys(object['data']) : [])]);
  return workloadsOf(objects).flatMap((workload) => {
    const pod = podOf(workload);
    const unknown = namedBy(pod).filter(({ kind, name, key, optional }) => !optional && !(key === null ? keys.has(`${kind}/${name}`) : keys.get(`${kind}/${name}`)?.includes(key) === true));
    return of(workload, [...unknown.map(({ kind, name, key }) => `there is no ${kind} ${name}${key === null ? '' : ` with ${key}`}`), ...withinPodComplaints(pod, claimTemplatesOf(workload))]);
  });
}

function claimTemplatesOf(workload: ReturnType<typeof workloadsOf>[number]): string[] {
  return workload.kind === 'StatefulSet' ? (workload.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? '') : [];
}

function namedBy(pod: IPodSpec): Named[] {
  const account: Named[] = pod.serviceAccountName === undefined ? [] : [{ kind: 'ServiceAccount', name: pod.serviceAccountName, key: null, optional: false }];
  return [...account, ...pod.containers.flatMap(namedByVariables), ...(pod.volumes ?? []).flatMap(namedByVolume)];
}

function namedByVariables({ env = [], envFrom = [] }: IContainer): Named[] {
  const whole = envFrom.flatMap(({ configMapRef, secretRef }): Named[] => [
    ...(configMapRef?.name === undefined ? [] : [{ kind: 'ConfigMap' as const, name: configMapRef.name, key: null, optional: configMapRef.optional ?? false }]),
    ...(secretRef?.name === undefined ? [] : [{ kind: 'Secret' as const, name: secretRef.name, key: null, optional: secretRef.optional ?? false }]),
  ]);
  const single = env.flatMap(({ valueFrom }): Named[] => {
    const { configMapKeyRef, secretKeyRef } = valueFrom ?? {};
    return [
      ...(configMapKeyRef === undefined ? [] : [{ kind: 'ConfigMap' as const, name: configMapKeyRef.name ?? '', key: configMapKeyRef.key, optional: configMapKeyRef.optional ?? false }]),
      ...(secretKeyRef === undefined ? [] : [{ kind: 'Secret' as const, name: secretKeyRef.name ?? '', key: secretKeyRef.key, optional: secretKeyRef.optional ?? false }]),
    ];
  });
  return [...whole, ...single];
}

function namedByVolume({ configMap, secret, persistentVolumeClaim: claim }: NonNullable<IPodSpec['volumes']>[number]): Named[] {
  const items = (kind: 'ConfigMap' | 'Secret', name: string, optional: boolean, keys: { key: string }[]): Named[] =>
    (keys.length === 0 ? [{ kind, name, key: null, optional }] : keys.map(({ key }) => ({ kind, name, key, optional })));
  return [
    ...(configMap === undefined ? [] : items('ConfigMap', configMap.name ?? '', configMap.optional ?? false, configMap.items ?? [])),
    ...(secret === undefined ? [] : items('Secret', secret.secretName ?? '', secret.optional ?? false, secret.items ?? [])),
    ...(claim === undefined ? [] : [{ kind: 'PersistentVolumeClaim' as const, name: claim.claimName, key: null, optional: false }]),
  ];
}

/** Mounts of volumes, and ports of probes, that the pod itself does not have; files of secrets that no volume brings. */
function withinPodComplaints(pod: IPodSpec, claims: string[]): string[] {
  const volumes = new Set([...claims, ...(pod.volumes ?? []).map(({ name }) => name)]);
  return pod.containers.flatMap((container) => {
    const { volumeMounts = [], ports = [], env = [] } = container;
    const probes = [container.startupProbe, container.readinessProbe, container.livenessProbe].flatMap((probe) => (probe?.httpGet === undefined ? [] : [probe.httpGet.port]));
    const files = new Set(volumeMounts.flatMap(({ name, mountPath }) => (pod.volumes ?? []).filter((volume) => volume.name === name).flatMap(({ secret }) => (secret?.items ?? []).map(({ path }) => `${mountPath}/${path}`))));
    return [
      ...volumeMounts.filter(({ name }) => !volumes.has(name)).map(({ name }) => `mounts ${name}, which it does not have`),
      ...volumeMounts.filter(({ subPath }) => subPath !== undefined).map(({ name }) => `mounts a part of ${name}: it would never change`),
      ...probes.filter((port) => !ports.some(({ name, containerPort }) => port === name || port === containerPort)).map((port) => `is probed at ${port}, which it does not have`),
      ...env.filter(({ name }, at) => env.findIndex((one) => one.name === name) !== at).map(({ name }) => `has ${name} twice`),
      ...env.flatMap(({ name, value = '' }, at) => [...value.matchAll(/\$\((\w+)\)/g)].filter(([, of]) => !env.slice(0, at).some((one) => one.name === of)).map(([reference]) => `${name} refers to ${reference}, which does not stand before it`)),
      ...env.filter(({ name, value = '' }) => name.endsWith('_FILE') && !files.has(value)).map(({ name, value }) => `${name} names ${value}, which is not mounted`),
    ];
  });
}
