import { countedModel, type OpenOperation, type Plan, type RoutingSnapshot } from '@deja/contracts';
import type { BudgetWatch } from '../budgets/budget-watch.ts';
import { promptCostNanoUsd, worstCase } from '../budgets/worst-case.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Operation } from '../operation/operation.ts';
import type { OperationQuotas } from '../quotas/operation-quotas.ts';
import type { Settler } from '../settle/settler.ts';
import { validationFor } from '../validate/validator.ts';
import { shardsFor } from './ceilings.ts';
import type { Reserved, Reserver } from './reserve.ts';

/** What a request is about to use, and what else it wants to know of Redis in the same round trip. */
export interface Need {
  promptTokens: number;
  /** Never fewer than the prompt has. Asked only where a budget applies. */
  mostPromptTokens: () => number;
  /** Of each answer: what the client bounds it to, 0 where it has none, null where nobody said. */
  outputTokens: number | null;
  choices: number;
  /** Who may be asked; null for what costs nothing, or nobody knows what. */
  plan: Plan | null;
  quotas?: OperationQuotas;
  exactKeys: string[];
  presenceKey: string | null;
}

/** Output tokens reserved where the client did not bound them: a long answer. A stream that outgrows it is charged while it runs, and settlement corrects the rest. */
const UNBOUNDED_OUTPUT_TOKENS = 1024;

/** How many tokens a request is expected to take at most. */
export const reservedTokens = ({ promptTokens, outputTokens, choices }: Pick<Need, 'promptTokens' | 'outputTokens' | 'choices'>): number =>
  promptTokens + (outputTokens ?? UNBOUNDED_OUTPUT_TOKENS) * choices;

/** Step 6, for whatever is asked for: every limit and budget, the operation's opening, and whether its key still is what it was. */
export class Reservations {
  constructor(
    private readonly keys: KeyRing,
    private readonly reserver: Reserver,
    private readonly settler: Settler,
    private readonly watch: BudgetWatch,
  ) {}

  /** Throws what refuses it: a limit, a budget, or that the key may not be used any more. What it holds is settled with the operation. */
  async reserve(operation: Operation, snapshot: RoutingSnapshot, need: Need): Promise<Reserved> {
    const { principal } = operation;
    if (principal === null) throw new Error('an operation without a principal has nothing to reserve');
    const { settings } = snapshot;
    operation.estimatedPromptTokens = need.promptTokens;
    const model = operation.requestedModel === '' ? null : countedModel(operation.requestedModel);
    const shards = shardsFor({ principal, user: operation.user, model, settings, receivedAtMs: operation.receivedAtMs });
    const isBudgeted = shards.some(({ budgets }) => budgets.length > 0);
    const first = need.plan?.candidates[0];
    const keptNanoUsd = first === undefined ? null : promptCostNanoUsd(first, need.promptTokens, settings.prices, operation.receivedAtMs);
    const open: OpenOperation = { ...operation.opening(), estimatedCostNanoUsd: keptNanoUsd?.toString() ?? null };
    const reserved = await this.reserver.reserve({
      open,
      shards,
      charge: {
        operation: operation.id,
        tokens: reservedTokens(need),
        keptTokens: need.promptTokens,
        nanoUsd: isBudgeted ? this.mostNanoUsd(operation, snapshot, need) : 0n,
        keptNanoUsd: keptNanoUsd ?? 0n,
      },
      growing: operation,
      exactKeys: need.exactKeys,
      presenceKey: need.presenceKey,
      ...(need.quotas !== undefined && { quotas: need.quotas }),
    });
    operation.prepared();
    this.settler.opened(open, !reserved.degraded);
    operation.reservation = reserved.reservation;
    operation.principal = await this.keys.confirm(operation, principal, reserved.tenantRevision);
    return reserved;
  }

  /** The worst case: a budget must hold also for many prompts at once that have more tokens than was estimated. */
  private mostNanoUsd(operation: Operation, snapshot: RoutingSnapshot, { plan, mostPromptTokens, outputTokens, choices }: Need): bigint {
    if (plan === null || operation.principal === null) return 0n;
    const { max_output_tokens: most } = validationFor(operation.principal, snapshot);
    const { contextWindow, contentPolicy } = plan.instead;
    const { nanoUsd, unpriced } = worstCase([...plan.candidates, ...contextWindow, ...contentPolicy], {
      promptTokens: mostPromptTokens(), outputTokens, mostOutputTokens: most, choices, hedged: plan.hedge !== null, prices: snapshot.settings.prices, atMs: operation.receivedAtMs,
    });
    if (unpriced.length > 0) this.watch.unpriced(unpriced);
    return nanoUsd;
  }
}
