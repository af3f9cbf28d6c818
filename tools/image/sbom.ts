import { createHash } from 'node:crypto';

/** What of a CycloneDX 1.5 document (https://cyclonedx.org/docs/1.5/json/) is looked at here; the rest of it is passed on. */
export interface Sbom {
  serialNumber: string;
  metadata: { timestamp: string; component: Component; [more: string]: unknown };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
  [more: string]: unknown;
}

export interface Component {
  'bom-ref': string;
  type: string;
  name: string;
  version: string;
  purl?: string;
  [more: string]: unknown;
}

/** A package of a folder, by its package.json. */
export interface InstalledPackage {
  name: string;
  version: string;
}

/**
 * Of npm's SBOM of the whole repository what one image contains: the packages of its bundle, and beside them what is not npm's. `npm sbom` gives it a new
 * number and the present time at every call; here both follow from the content and `timestamp` (ISO 8601), so that the same image has the same document.
 * Throws where npm does not know a package of the bundle.
 */
export function sbomOf(whole: Sbom, image: { name: string; version: string; timestamp: string; packages: readonly InstalledPackage[]; others: readonly Component[] }): Sbom {
  const wanted = new Set(image.packages.map(({ name, version }) => `${name}@${version}`));
  const ofNpm = whole.components.filter((component) => wanted.delete(component['bom-ref']));
  if (wanted.size > 0) throw new Error(`npm sbom does not list what is in the bundle: ${[...wanted].join(', ')}`);
  const component: Component = { 'bom-ref': `${image.name}@${image.version}`, type: 'container', name: image.name, version: image.version };
  const components = [...ofNpm, ...image.others];
  const present = new Set(components.map((one) => one['bom-ref']));
  const dependencies = whole.dependencies.filter(({ ref }) => present.has(ref)).map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => present.has(other)) }));
  // A bundle has no order of who brought whom: everything in it is the image's own.
  dependencies.unshift({ ref: component['bom-ref'], dependsOn: [...present] });
  const metadata = { ...whole.metadata, timestamp: image.timestamp, component };
  return { ...whole, serialNumber: serialNumber([image.name, image.version, components]), metadata, components, dependencies };
}

/** A UUID of version 8 (RFC 9562), of which the content decides every free bit. */
function serialNumber(content: unknown): string {
  const hex = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-9${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
