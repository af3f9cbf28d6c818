// For deploy/verify-kubernetes.sh: `leave-out.ts <file> [kind…]` prints the objects of a file of YAML but for those kinds; `leave-out.ts --pods <file>` the
// pods that its Deployments and StatefulSets would make, one each.
import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { readObjects, type KubernetesObject } from './objects.ts';
import { workloadsOf } from './workloads.ts';

/** A pod as a controller would make it, with what a StatefulSet's claims would be called. */
function podsOf(objects: KubernetesObject[]): object[] {
  return workloadsOf(objects).map((workload) => {
    const { metadata, spec } = workload.spec?.template ?? {};
    const claims = workload.kind === 'StatefulSet' ? (workload.spec?.volumeClaimTemplates ?? []) : [];
    const volumes = [...(spec?.volumes ?? []), ...claims.map((claim) => ({ name: claim.metadata?.name ?? '', persistentVolumeClaim: { claimName: `${claim.metadata?.name ?? ''}-0` } }))];
    return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: `${workload.metadata?.name ?? ''}-0` }, spec: { ...spec, volumes } };
  });
}

const pods = process.argv.includes('--pods');
const [file = '', ...kinds] = process.argv.slice(2).filter((argument) => argument !== '--pods');
const objects = readObjects(readFileSync(file, 'utf8'), file).filter(({ kind }) => !kinds.includes(kind));
for (const object of pods ? podsOf(objects) : objects) process.stdout.write(`---\n${stringify(object, { version: '1.1', aliasDuplicateObjects: false })}`);
