/** Writes src/price-table.ts from models.csv: `node libs/pricing/data/generate.ts`. A test compares the two. */
import { readFileSync, writeFileSync } from 'node:fs';
import { priceTableSource } from '../src/csv.ts';

const here = import.meta.url;
writeFileSync(new URL('../src/price-table.ts', here), priceTableSource(readFileSync(new URL('models.csv', here), 'utf8')));
