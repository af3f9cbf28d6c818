import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { startOpsServer, type OpsServerOptions, type WorkerReadiness } from './ops-server.ts';

let server: Awaited<ReturnType<typeof startOpsServer>> | null = null;
const errors: unknown[] = [];

async function start(options: Partial<OpsServerOptions> = {}): Promise<string> {
  server = await startOpsServer({
    host: '127.0.0.1',
    port: 0,
    telemetry: { metricsText: async () => '# HELP up\nup 1\n', openMetricsText: async () => 'up 1\n# EOF\n' },
    checks: () => ({ redis: true }),
    logger: { error: (...what: unknown[]) => errors.push(what) },
    ...options,
  });
  return `http://127.0.0.1:${server.port}`;
}

afterEach(async () => {
  await server?.close();
  server = null;
  errors.length = 0;
});

describe('the ops port', () => {
  test('says that the process lives, whatever it lacks', async () => {
    const url = await start({ checks: () => ({ redis: false }) });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('is ready when every check holds, and else names what does not', async () => {
    const checks = { redis: true, snapshot: false };
    const url = await start({ checks: () => checks });
    const before = await fetch(`${url}/readyz`);
    expect([before.status, await before.json()]).toEqual([503, { ready: false, checks: { redis: true, snapshot: false } }]);
    checks.snapshot = true;
    const after = await fetch(`${url}/readyz?verbose`);
    expect([after.status, await after.json()]).toEqual([200, { ready: true, checks: { redis: true, snapshot: true } }]);
  });

  describe('of a process with workers behind it', () => {
    const fine = (worker: number, degraded: string[] = []): WorkerReadiness => ({ worker, pid: 10 + worker, ready: true, checks: { redis: true }, degraded });
    const silent = (worker: number): WorkerReadiness => ({ worker, pid: 10 + worker, ready: false, checks: { answering: false }, degraded: [] });
    const dead = (worker: number): WorkerReadiness => ({ worker, pid: null, ready: false, checks: { running: false }, degraded: [] });

    test.each<[string, WorkerReadiness[], { ready: boolean; degraded?: string[]; healthz: number }]>([
      ['all of them', [fine(1), fine(2)], { ready: true, healthz: 200 }],
      ['one, and another is being started again', [dead(1), fine(2, ['router'])], { ready: true, degraded: ['worker 1', 'router'], healthz: 200 }],
      ['one, and another is stuck', [fine(1), silent(2)], { ready: true, degraded: ['worker 2'], healthz: 503 }],
      ['none', [dead(1), { worker: 2, pid: 12, ready: false, checks: { redis: false }, degraded: [] }], { ready: false, degraded: ['worker 1', 'worker 2'], healthz: 200 }],
    ])('is ready while one of them is, and names those that are not; stuck is who does not answer: %s', async (_which, workers, { healthz, ...expected }) => {
      const url = await start({ checks: () => ({ started: true }), workers: async () => workers });
      const answer = await fetch(`${url}/readyz`);
      expect([answer.status, await answer.json()]).toEqual([expected.ready ? 200 : 503, { checks: { started: true }, workers, ...expected }]);
      expect((await fetch(`${url}/healthz`)).status).toBe(healthz);
    });

    test('is not ready while a check of its own does not hold', async () => {
      const url = await start({ checks: () => ({ started: false }), workers: async () => [fine(1)] });
      expect((await fetch(`${url}/readyz`)).status).toBe(503);
    });
  });

  test('serves metrics as Prometheus reads them', async () => {
    const response = await fetch(`${await start()}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('# HELP up\nup 1\n');
  });

  test.each([
    // What Prometheus 2.42 and 3.5 send.
    ['application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', true],
    ['application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1', true],
    ['Application/OpenMetrics-Text ; Version="1.0.0" ; Q=1.0', true],
    ['application/openmetrics-text', true],
    ['application/openmetrics-text, text/plain', true],
    ['application/openmetrics-text;q=0.4, text/plain;q=0.5', false],
    ['application/openmetrics-text;q=0.4, text/*;q=0.5, */*;q=0.1', false],
    ['application/openmetrics-text;q=0.4, text/plain;q=0.1, */*', true],
    ['application/openmetrics-text;q=0', false],
    ['application/openmetrics-text;q=lots', false],
    ['application/openmetrics-text;version=0.0.1', false],
    ['application/openmetrics-text;version=2.0.0, text/plain', false],
    ['application/*, */*', false],
    ['*/*', false],
    ['', false],
    [';;=,,q', false],
  ])('to accept: %s OpenMetrics is the answer: %s', async (accept, isOpenMetrics) => {
    const response = await fetch(`${await start()}/metrics`, { headers: { accept } });
    expect(response.headers.get('content-type')).toBe(isOpenMetrics ? 'application/openmetrics-text; version=1.0.0; charset=utf-8' : 'text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe(isOpenMetrics ? 'up 1\n# EOF\n' : '# HELP up\nup 1\n');
    expect(response.headers.get('vary')).toBe('accept');
  });

  test('answers nothing else, and only to GET and HEAD', async () => {
    const url = await start();
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/healthz/../admin`)).status).toBe(404);
    const post = await fetch(`${url}/healthz`, { method: 'POST', body: 'x' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await fetch(`${url}/metrics`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('a check or a metric that fails is a 500 and a line in the log, not the end of the process', async () => {
    const url = await start({ checks: () => { throw new Error('boom'); }, telemetry: { metricsText: () => Promise.reject(new Error('boom')), openMetricsText: async () => '' } });
    expect((await fetch(`${url}/readyz`)).status).toBe(500);
    expect((await fetch(`${url}/metrics`)).status).toBe(500);
    expect(errors).toHaveLength(2);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('closes at once, also with a connection that says nothing', async () => {
    await start();
    const socket = connect(server!.port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('connect', resolve));
    await server!.close();
    server = null;
    await closed;
    expect(socket.destroyed).toBe(true);
  });

  test('a port in use is the error of the start', async () => {
    await start();
    const first = server!;
    await expect(start({ port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
