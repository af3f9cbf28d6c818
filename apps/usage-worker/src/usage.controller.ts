import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { DejaError, type UsageRpc } from '@deja/contracts';
import { StreamsContext } from '@deja/transport';
import { z } from 'zod';
import { budgetAccounts } from './budgets/account.ts';
import { SpentReader } from './budgets/spent-reader.ts';
import { CACHE_SAVINGS } from './queries/cache-savings.ts';
import { LEDGER_CALL, UsageQueries } from './queries/usage-queries.ts';

const SPENT = z.object({ accounts: budgetAccounts });

/** Everything the usage-worker answers: see UsageRpc in the contracts. */
@Controller()
export class UsageController {
  constructor(
    private readonly spentReader: SpentReader,
    private readonly queries: UsageQueries,
  ) {}

  @MessagePattern('spent')
  async spent(@Payload() payload: unknown): Promise<UsageRpc['spent']['reply']> {
    const { accounts } = parsed(SPENT, payload);
    const spent = await this.spentReader.spent(accounts);
    return { spentNanoUsd: spent.map(String) };
  }

  @MessagePattern('cache_savings')
  async cacheSavings(@Payload() payload: unknown, @Ctx() context: StreamsContext): Promise<UsageRpc['cache_savings']['reply']> {
    return await this.queries.cacheSavings(parsed(CACHE_SAVINGS, payload), context.deadlineMs === null ? null : context.deadlineMs - Date.now());
  }

  @MessagePattern('admin')
  async admin(@Payload() payload: unknown, @Ctx() context: StreamsContext): Promise<UsageRpc['admin']['reply']> {
    const nowMs = Date.now();
    return await this.queries.answer(parsed(LEDGER_CALL, payload), nowMs, context.deadlineMs === null ? null : context.deadlineMs - nowMs);
  }
}

/** The payload as the contract has it. Throws `invalid_value` naming the field. */
function parsed<T>(schema: z.ZodType<T>, payload: unknown): T {
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  const param = result.error.issues[0]?.path.join('.') ?? '';
  throw new DejaError('invalid_value', `The message is not of the expected form: ${param}.`, { param });
}
