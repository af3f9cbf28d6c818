import type { AlertReceiver, AlertSettings, JsonWebKeyPublic, RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose';

/** Asks the router; rejects while none answers. */
export type FetchSettings = (request: RouterRpc['alert_settings']['request']) => Promise<RouterRpc['alert_settings']['reply']>;

/** What alerts are decided and sent by, asked of the router again and again. What is known stays in force while no router answers. */
export class AlertSettingsWatch {
  private current: AlertSettings | null = null;
  private isHeard = true;
  /** It never leaves this process. */
  private readonly keys = generateKeyPair('ECDH-ES', { crv: 'P-256' });

  constructor(
    private readonly fetchSettings: FetchSettings,
    private readonly logger: Pick<Logger, 'warn' | 'info'>,
  ) {}

  /** The last that were heard; null before any were. */
  settings(): AlertSettings | null {
    return this.current;
  }

  /** Asks for what is newer than what is known. Never rejects: an outage is logged once. */
  async look(): Promise<void> {
    try {
      const { publicKey } = await this.keys;
      const { settings } = await this.fetchSettings({ known: this.current?.version ?? null, publicKey: (await exportJWK(publicKey)) as JsonWebKeyPublic });
      if (settings !== null) this.current = settings;
      if (!this.isHeard) this.logger.info({}, 'routers tell alert rules again');
      this.isHeard = true;
    } catch (error) {
      if (this.isHeard) this.logger.warn({ err: error }, 'no router tells alert rules; those that are known stay in force');
      this.isHeard = false;
    }
  }

  /** Who is told of a rule's alerts, in the order in which the rule names them; empty where there is no such rule. Rejects as `open`. */
  async receivers(rule: string): Promise<AlertReceiver[]> {
    const sealed = this.current?.rules.find(({ id }) => id === rule)?.receivers;
    return sealed === undefined ? [] : (JSON.parse(await this.open(sealed)) as AlertReceiver[]);
  }

  /** What is sealed to this process, in clear: `receivers` of a rule, or `smtp`. Rejects for what is sealed to another. */
  async open(sealed: string): Promise<string> {
    const { privateKey } = await this.keys;
    const { plaintext } = await compactDecrypt(sealed, privateKey, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] });
    return new TextDecoder().decode(plaintext);
  }
}
