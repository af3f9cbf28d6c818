// node --conditions=@deja/source tools/image/assemble.ts <target>: puts together what each image holds, in the build stage of the Dockerfile, after `npm run build`.
// <target>/system is the same for all, <target>/data has the folder that an app may write to;
// <target>/<app> has the bundle, what is read beside it, its SBOM and the licences of what is bundled;
// <target>/<app>-compiled has V8's code cache of it, apart, because it differs a little from build to build and all else does not.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, lutimesSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { appProgram, type AppName } from '@deja/launcher';
import { packageFolders, withoutContent, type SourceMapText } from './bundle-sources.ts';
import { LICENSE_FILE, licensesText, type LicensedPackage } from './licenses.ts';
import { sbomOf, type Component, type Sbom } from './sbom.ts';
import { copySystem } from './system-files.ts';

const ROOT = join(import.meta.dirname, '../..');
/** What each image has beside its bundle. */
const BESIDE: Record<AppName, { files: string[]; native: boolean }> = {
  gateway: { files: [], native: false },
  router: { files: ['apps/router/migrations'], native: false },
  'semantic-cache': { files: ['models'], native: true },
  'usage-worker': { files: ['apps/usage-worker/migrations'], native: false },
};
/** What models were made by, in place of what is read. */
const MADE_BY = /^models\/[^/]+\/train$|\.ts$/;
/** The runtime of neural models. It is optional: where it was not installed, words decide alone. */
const NATIVE = ['onnxruntime-node', 'onnxruntime-common'];
/** Where all of it is in the images, and in the build stage for a moment: compiled code is kept by the path of its source. */
const IN_IMAGE = '/app';
/** The user of the images. */
const UID = 1000;

interface PackageJson {
  name: string;
  version: string;
  license?: string;
  author?: string | { name?: string };
}

function assemble(target: string): void {
  const { version } = readJson<PackageJson>('package.json');
  const epochS = Number(process.env['SOURCE_DATE_EPOCH'] ?? 0);
  const timestamp = new Date(epochS * 1000).toISOString();
  const native = copyNative(join(target, 'native'));
  const system = copySystem(join(target, 'system'), native);
  for (const name of ['LICENSE', 'NOTICE', 'deploy/healthcheck.mjs']) cpSync(join(ROOT, name), join(target, 'system/app', name));
  const whole = JSON.parse(execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28 })) as Sbom;
  for (const [app, beside] of Object.entries(BESIDE) as [AppName, (typeof BESIDE)[AppName]][]) {
    const folders = [...copyBundle(app, join(target, app, 'app/apps', app, 'out')), ...(beside.native ? NATIVE.map((name) => `node_modules/${name}`).filter((folder) => existsSync(join(ROOT, folder))) : [])];
    for (const path of beside.files) cpSync(join(ROOT, path), join(target, app, 'app', path), { recursive: true, filter: (from) => !MADE_BY.test(from.slice(ROOT.length + 1)) });
    if (beside.native && native.length > 0) cpSync(join(target, 'native'), join(target, app, 'app/node_modules'), { recursive: true });
    describe(join(target, app, 'app'), { app, version, timestamp, folders, system, whole });
    cpSync(join(target, app, 'app'), IN_IMAGE, { recursive: true });
    compile(app, join(target, `${app}-compiled`));
  }
  for (const empty of ['data/var/lib/deja', 'system/etc/deja', 'system/var/lib']) mkdirSync(join(target, empty), { recursive: true });
  setTimes(target, epochS);
}

/** The bundle, and its source maps without the sources. Returns the folders of the packages that are in it. */
function copyBundle(app: string, to: string): string[] {
  const from = join(ROOT, 'apps', app, 'out');
  mkdirSync(to, { recursive: true });
  const names = readdirSync(from).sort();
  const maps = names.filter((name) => name.endsWith('.map')).map((name): [string, SourceMapText] => [name, JSON.parse(readFileSync(join(from, name), 'utf8')) as SourceMapText]);
  for (const name of names.filter((one) => !one.endsWith('.map'))) cpSync(join(from, name), join(to, name));
  for (const [name, map] of maps) writeFileSync(join(to, name), JSON.stringify(withoutContent(map)));
  return packageFolders(maps.map(([, map]) => map));
}

/** Of the runtime of neural models only what this machine loads: 46 MB instead of 288. Returns its shared objects; none where it was not installed. */
function copyNative(to: string): string[] {
  const installed = NATIVE.filter((name) => existsSync(join(ROOT, 'node_modules', name)));
  const other = new RegExp(`/onnxruntime-node/(?:script|lib|bin/[^/]+/(?!linux(?:/|$))[^/]+|bin/[^/]+/linux/(?!${process.arch}(?:/|$))[^/]+)(?:/|$)|/onnxruntime-common/(?:lib|dist/esm)(?:/|$)|\\.ts$|\\.map$`);
  for (const name of installed) cpSync(join(ROOT, 'node_modules', name), join(to, name), { recursive: true, filter: (from) => !other.test(from) });
  const files = installed.length === 0 ? [] : readdirSync(to, { recursive: true, encoding: 'utf8' });
  return files.filter((name) => /\.node$|\.so(?:\.\d+)*$/.test(name)).map((name) => join(to, name));
}

function describe(to: string, image: { app: string; version: string; timestamp: string; folders: string[]; system: Component[]; whole: Sbom }): void {
  const packages = image.folders.map(licensed);
  const sbom = sbomOf(image.whole, { name: `deja-${image.app}`, version: image.version, timestamp: image.timestamp, packages, others: image.system });
  writeFileSync(join(to, 'sbom.cdx.json'), JSON.stringify(sbom));
  writeFileSync(join(to, 'licenses.txt'), licensesText(packages));
}

function licensed(folder: string): LicensedPackage {
  const { name, version, license, author } = readJson<PackageJson>(join(folder, 'package.json'));
  const files = readdirSync(join(ROOT, folder)).filter((file) => LICENSE_FILE.test(file)).sort().map((file) => ({ name: file, text: readFileSync(join(ROOT, folder, file), 'utf8') }));
  return { name, version, license: license ?? null, author: (typeof author === 'string' ? author : author?.name) ?? null, files };
}

/**
 * Node's own cache of compiled modules (https://nodejs.org/api/module.html#module-compile-cache), filled by loading the app once. It is good for this very
 * Node, its flags, the path of the bundle and the user's id: all are here as in the image. PORT=x ends an app when it has been loaded.
 */
function compile(app: AppName, target: string): void {
  const folder = join(target, 'app/compiled');
  mkdirSync(folder, { recursive: true });
  chownSync(folder, UID, UID);
  const { command, args } = appProgram(app, IN_IMAGE);
  const load = (more: Record<string, string>): string =>
    spawnSync(command, args, { env: { NODE_COMPILE_CACHE: folder, PORT: 'x', NODE_ENV: 'production', ...more }, uid: UID, gid: UID, encoding: 'utf8' }).stderr;
  // What is over several workers is another part of the gateway than what serves.
  const said = [load({}), ...(app === 'gateway' ? [load({ DEJA_GATEWAY_WORKERS: '2' })] : [])];
  // Node writes it for its own user alone; in the image everyone may read it, and no app may change what it runs.
  for (const name of ['', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })]) {
    chownSync(join(folder, name), 0, 0);
    chmodSync(join(folder, name), 0o755);
  }
  const other = said.find((text) => !text.includes('PORT must be a port'));
  if (other !== undefined) throw new Error(`${app} did not get as far as its environment: ${other}`);
}

/** One time for all files: otherwise two builds of the same sources differ in nothing else. */
function setTimes(folder: string, epochS: number): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) lutimesSync(join(folder, name), epochS, epochS);
  lutimesSync(folder, epochS, epochS);
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T;
}

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('usage: node --conditions=@deja/source tools/image/assemble.ts <target>');
assemble(target);
