import pg from 'pg';

/** First half of the advisory lock's key: "deja" in ASCII, so that no one else's lock is meant. */
const LOCK_SPACE = 0x64656a61;
const TAKE = `select pg_try_advisory_lock(${LOCK_SPACE}, hashtext('usage.alerts')) as taken`;
/** A host that vanished without a word gives its turn back after half a minute. */
const NOTICE_DEATH = 'set tcp_keepalives_idle = 15; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3';

/**
 * Whose turn it is to evaluate alerts: that of the session which holds a lock in Postgres. The lock ends with the session, however that ends. What an
 * evaluation decides is written on this very session: a replica that lost its turn without noticing writes nothing.
 */
export class EvaluatorTurn {
  private client: pg.Client | null = null;
  private isHeld = false;

  constructor(private readonly databaseUrl: string) {}

  /** The session that has the turn; null where another replica has it. Rejects while Postgres is away. */
  async take(): Promise<pg.Client | null> {
    const client = this.client ?? (await this.connect());
    if (this.isHeld) return client;
    const { rows: [answer] } = await client.query<{ taken: boolean }>(TAKE);
    this.isHeld = answer?.taken === true && this.client === client;
    return this.isHeld ? client : null;
  }

  get isTaken(): boolean {
    return this.isHeld;
  }

  /** Gives the turn back. */
  async leave(): Promise<void> {
    const client = this.client;
    this.forget(client);
    await client?.end().catch(() => undefined);
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.databaseUrl, application_name: 'deja-usage-alerts', connectionTimeoutMillis: 5_000, query_timeout: 30_000, keepAlive: true });
    const lost = (): void => this.forget(client);
    client.on('error', lost); // what was asked at that moment rejects with the same error
    client.on('end', lost);
    await client.connect();
    this.client = client;
    await client.query(NOTICE_DEATH);
    return client;
  }

  private forget(client: pg.Client | null): void {
    if (this.client !== client) return;
    this.client = null;
    this.isHeld = false;
  }
}
