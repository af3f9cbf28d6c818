import { MOST_ACCOUNTS, type BudgetAccount } from '@deja/contracts';
import { z } from 'zod';
import { storable } from '../ledger/json.ts';
import { isSpender } from '../ledger/spend.ts';

/** As the ledger has it, see `event.ts`. */
const name = z.string().max(4096).transform(storable).nullable();
const moment = z.int().min(0).max(Date.UTC(9999, 0));

export const budgetAccount = z
  .object({ key: z.string().min(1), tenant: name, clientKey: name, user: name, model: name, fromMs: moment, toMs: moment.nullable() })
  .refine(isSpender, 'the ledger has no sums of such an account') satisfies z.ZodType<BudgetAccount>;

export const budgetAccounts = z.array(budgetAccount).max(MOST_ACCOUNTS);

/** A registration in Redis; null for what is none. */
export function accountIn(text: string): BudgetAccount | null {
  try {
    return budgetAccount.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
