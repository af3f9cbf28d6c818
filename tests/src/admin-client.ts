import type { TestCluster } from '@deja/testing';

export interface AdminReply {
  status: number;
  headers: Headers;
  text: string;
  // What an answer says is for the test to look at.
  json: { error?: { message: string; type: string; param: string | null; code: string }; data?: CredentialObject[]; next_cursor?: string | null; [field: string]: unknown };
}

/** The part of a credential that tests look at (docs/admin.md). */
export interface CredentialObject {
  id: string;
  provider: string;
  name: string;
  source: string;
  last_four: string;
  weight: number;
  disabled: boolean;
  grace_until: string | null;
  [field: string]: unknown;
}

/** What every answer was, whole: for a search of what should be in none. */
export class Answers {
  readonly texts: string[] = [];

  /** Like the global one; the SDK takes it too. */
  readonly fetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const head = `${response.status} ${JSON.stringify([...response.headers])}`;
    const copy = response.clone();
    this.texts.push(head);
    // A stream that breaks off, or is left, has said what it has said.
    void copy.text().then((text) => this.texts.push(text), () => undefined);
    return response;
  };
}

export interface CallOptions {
  /** 0 for the first. */
  gateway?: number;
  /** The whole header; null: none. */
  authorization?: string | null;
  headers?: Record<string, string>;
}

/** The admin API of a cluster over HTTP, as docs/admin.md has it. */
export class AdminClient {
  private readonly cluster: Pick<TestCluster, 'urls' | 'adminKey'>;
  private readonly answers: Answers;
  private readonly token: string;

  /** @param token of whoever calls; the root key unless given */
  constructor(cluster: Pick<TestCluster, 'urls' | 'adminKey'>, answers = new Answers(), token = cluster.adminKey) {
    this.cluster = cluster;
    this.answers = answers;
    this.token = token;
  }

  /** @param path below `/admin/v1/` */
  async call(method: string, path: string, body?: unknown, { gateway = 0, authorization = `Bearer ${this.token}`, headers = {} }: CallOptions = {}): Promise<AdminReply> {
    const response = await this.answers.fetch(`${this.cluster.urls[gateway]}/admin/v1/${path}`, {
      method,
      headers: { ...(authorization !== null && { authorization }), ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /^application\/json\b/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, json: isJson ? (JSON.parse(text) as AdminReply['json']) : {} };
  }

  /** The same, which is to go well. */
  async done(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<AdminReply['json']> {
    const reply = await this.call(method, path, body, options);
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.json;
  }

  async create(credential: { provider: string; name: string; value: string; [field: string]: unknown }, options: { gateway?: number } = {}): Promise<CredentialObject> {
    return (await this.done('POST', 'credentials', credential, options)) as unknown as CredentialObject;
  }

  async list(options: { gateway?: number } = {}): Promise<CredentialObject[]> {
    return (await this.done('GET', 'credentials?limit=1000', undefined, options)).data ?? [];
  }

  /** Versions of this credential (`provider/name`) that the gateway's snapshot has for the model. */
  async versions(model: string, credential: string, options: { gateway?: number } = {}): Promise<string[]> {
    const { candidates } = (await this.done('POST', 'plan/explain', { model }, options)) as { candidates: { credential: string | null; version: string | null }[] };
    return candidates.flatMap((candidate) => (candidate.credential === credential && candidate.version !== null ? [candidate.version] : []));
  }
}
