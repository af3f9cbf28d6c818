/** A package that is in an image, with what it says of its own licence. */
export interface LicensedPackage {
  name: string;
  version: string;
  /** As in package.json: an SPDX expression; null where it says nothing. */
  license: string | null;
  author: string | null;
  /** Licence and notice files of the package, by their names. */
  files: { name: string; text: string }[];
}

export const LICENSE_FILE = /^(?:licen[cs]e|copying|notice|thirdpartynotices)(?:[.-].*)?$/i;

/** The MIT License (https://spdx.org/licenses/MIT), for packages that name it and bring no copy. */
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const RULE = '-'.repeat(120);

/**
 * The licences of everything that is bundled, as one text. A package without a licence file gets the text of the licence it names: MIT's, or one that another
 * package here brings along. Throws where there is neither, since then it must not be passed on.
 */
export function licensesText(packages: readonly LicensedPackage[]): string {
  const brought = new Map(packages.flatMap(({ license, files: [file] }) => (license === null || file === undefined ? [] : [[license, file.text]])));
  const sections = packages.map((one) => `${RULE}\n${one.name} ${one.version}: ${one.license ?? 'see below'}\n${RULE}\n${textOf(one, brought)}\n`);
  return `What is bundled here, and under which terms. deja's own are in LICENSE and NOTICE.\n\n${sections.join('\n')}`;
}

function textOf({ name, license, author, files }: LicensedPackage, brought: ReadonlyMap<string, string>): string {
  if (files.length > 0) return files.map(({ text }) => text.trim()).join('\n\n');
  const text = license === 'MIT' ? MIT : brought.get(license ?? '');
  if (text === undefined) throw new Error(`${name} has no licence file, and the text of its licence (${license ?? 'none named'}) is not at hand`);
  return `${author === null ? '' : `Copyright (c) ${author}\n\n`}${text.trim()}`;
}
