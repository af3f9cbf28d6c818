import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { DejaError, type UsageRpc } from '@deja/contracts';
import { StreamsContext } from '@deja/transport';
import { z } from 'zod';
import { budgetAccounts } from './budgets/account.ts';
import { SpentReader } from './budgets/spent-reader.ts';
import { USAGE_CALL } from './admin/admin-call.ts';
import { UsageCalls } from './admin/usage-calls.ts';
import { capturedExchange } from './captures/capture-store.ts';
import { CACHE_SAVINGS, cacheSavings } from './queries/cache-savings.ts';
import { LedgerReader } from './queries/ledger-reader.ts';

const CAPTURED = z.object({ operation: z.string(), tenant: z.string().nullable() });
const SPENT = z.object({ accounts: budgetAccounts });

/** Everything the usage-worker answers: see UsageRpc in the contracts. */
@Controller()
export class UsageController {
  constructor(
    private readonly spentReader: SpentReader,
    private readonly reader: LedgerReader,
    private readonly calls: UsageCalls,
  ) {}

  @MessagePattern('spent')
  async spent(@Payload() payload: unknown): Promise<UsageRpc['spent']['reply']> {
    const { accounts } = parsed(SPENT, payload);
    const spent = await this.spentReader.spent(accounts);
    return { spentNanoUsd: spent.map(String) };
  }

  @MessagePattern('cache_savings')
  async cacheSavings(@Payload() payload: unknown, @Ctx() context: StreamsContext): Promise<UsageRpc['cache_savings']['reply']> {
    const request = parsed(CACHE_SAVINGS, payload);
    return await this.reader.read((client) => cacheSavings(client, request), leftMs(context, Date.now()));
  }

  @MessagePattern('admin')
  async admin(@Payload() payload: unknown, @Ctx() context: StreamsContext): Promise<UsageRpc['admin']['reply']> {
    const nowMs = Date.now();
    return await this.calls.answer(parsed(USAGE_CALL, payload), nowMs, leftMs(context, nowMs));
  }

  @MessagePattern('captured')
  async captured(@Payload() payload: unknown, @Ctx() context: StreamsContext): Promise<UsageRpc['captured']['reply']> {
    const request = parsed(CAPTURED, payload);
    // What is no id is none of the ledger's.
    if (!z.uuid().safeParse(request.operation).success) return { captured: null };
    return { captured: await this.reader.read((client) => capturedExchange(client, request), leftMs(context, Date.now())) };
  }
}

const leftMs = ({ deadlineMs }: StreamsContext, nowMs: number): number | null => (deadlineMs === null ? null : deadlineMs - nowMs);

/** The payload as the contract has it. Throws `invalid_value` naming the field. */
function parsed<T>(schema: z.ZodType<T>, payload: unknown): T {
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  const param = result.error.issues[0]?.path.join('.') ?? '';
  throw new DejaError('invalid_value', `The message is not of the expected form: ${param}.`, { param });
}
