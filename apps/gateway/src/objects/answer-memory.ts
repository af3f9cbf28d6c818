import type { ObjectAccount } from '@deja/contracts';
import type { StoredIds } from '../attempt/exchange.ts';
import type { StoredObjects } from './stored-objects.ts';

/** What is remembered of one answer: each of its ids once, as it becomes known. */
export class AnswerMemory {
  private isResponseKnown = false;
  private readonly parts = new Set<string>();

  constructor(
    private readonly objects: Pick<StoredObjects, 'remember' | 'rememberParts' | 'leaveUnbilled'>,
    private readonly tenant: string,
    private readonly account: ObjectAccount,
    private readonly now: () => number = Date.now,
  ) {}

  /** Notes what was not noted yet, in one round trip. `underWay`: what the answer uses is known later. Never rejects. */
  async note({ response, parts }: StoredIds, underWay = false): Promise<void> {
    if (response === null && parts.length === 0) return;
    const fresh = parts.filter(({ id }) => !this.parts.has(id));
    for (const { id } of fresh) this.parts.add(id);
    const { provider, deployment, credential } = this.account;
    const owner = { tenant: this.tenant, provider, deployment, credential, createdAtMs: this.now() };
    if (response === null || this.isResponseKnown) return this.objects.rememberParts(owner, fresh);
    this.isResponseKnown = true;
    if (underWay) await this.objects.leaveUnbilled(this.tenant, response);
    await this.objects.remember({ ...owner, kind: 'response', id: response }, fresh);
  }
}
