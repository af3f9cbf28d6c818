/** Cases that once failed, by parser. Each is fed to its parser again in every run of the tests. */
export const PARSER_REGRESSIONS: readonly { target: string; what: string; text: string }[] = [
  { target: 'config', what: 'a map of very many keys was read in the square of its length', text: Array.from({ length: 16_000 }, (_, i) => `k${i}: 1\n`).join('') },
  { target: 'config', what: 'each of many aliases within their own anchor was followed through all the others', text: `models: &m\n${'  - <<: *m\n'.repeat(5000)}` },
  { target: 'provider-reply', what: 'each of many objects called usage was read to the end of the text', text: '"usage": {\n '.repeat(5000) },
  { target: 'provider-reply', what: 'signs around a judge’s word were looked for in the square of their number', text: `a${'"'.repeat(60_000)}a` },
];
