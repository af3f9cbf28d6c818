import { answer, fakeProvider, testCluster, type FakeProvider, type ScriptStep, type TestCluster } from '@deja/testing';
import { Gate } from './bursts.ts';

/** A dead gateway's operations are given up after so long. */
export const LEASE_S = 3;

/** Three gateways, and a provider whose answers have 12 tokens: 10 of prompt, 2 of answer. It takes 20 ms for those who say "Take your time", and waits for the gate with those who say "Please wait". */
export class LimitedCluster {
  readonly gate = new Gate();
  private made = 0;

  private constructor(
    readonly provider: FakeProvider,
    readonly cluster: TestCluster,
  ) {}

  /** @param limits of deja.yaml @param redisUrl a Redis of its own unless given */
  static async start({ limits = {}, redisUrl }: { limits?: object; redisUrl?: string } = {}): Promise<LimitedCluster> {
    const provider = await fakeProvider();
    const cluster = await testCluster({ config: configuration(provider, limits), scale: { gateway: 3 }, env: { DEJA_LEASE_S: String(LEASE_S) }, ...(redisUrl !== undefined && { redisUrl }) });
    const started = new LimitedCluster(provider, cluster);
    provider.otherwise(started.answers());
    return started;
  }

  configure(limits: object): Promise<void> {
    return this.cluster.configure(configuration(this.provider, limits));
  }

  newTenant(): string {
    return `tenant-${++this.made}`;
  }

  async stop(): Promise<void> {
    this.gate.open();
    await this.cluster.stop();
    await this.provider.close();
  }

  private answers(): ScriptStep {
    return async ({ rawBody }) => {
      const text = rawBody.toString();
      if (text.includes('Please wait')) await this.gate.pass();
      return answer('Done.', { usage: { promptTokens: 10, completionTokens: 2 }, ...(text.includes('Take your time') && { beforeFirstByteMs: 20 }) });
    };
  }
}

const configuration = (provider: FakeProvider, limits: object): object => ({
  providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
  models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
  limits,
});
