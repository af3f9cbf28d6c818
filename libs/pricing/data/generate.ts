/** Writes src/price-table.ts from models.csv and other-rates.csv, src/model-table.ts from models.csv, and src/capability-table.ts from capability.csv: `node libs/pricing/data/generate.ts`. Tests compare them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { capabilityTableSource } from '../src/capability-rows.ts';
import { modelTableSource } from '../src/model-rows.ts';
import { priceTableSource } from '../src/price-rows.ts';

const here = import.meta.url;
const csv = readFileSync(new URL('models.csv', here), 'utf8');
writeFileSync(new URL('../src/price-table.ts', here), priceTableSource(csv, readFileSync(new URL('other-rates.csv', here), 'utf8')));
writeFileSync(new URL('../src/model-table.ts', here), modelTableSource(csv));
writeFileSync(new URL('../src/capability-table.ts', here), capabilityTableSource(readFileSync(new URL('capability.csv', here), 'utf8')));
