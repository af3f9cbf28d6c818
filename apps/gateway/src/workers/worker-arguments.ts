const WORKER = 'worker';

/** How a primary process calls this program to be worker `n`, from 1 on: so it is also told apart where processes are listed. */
export const workerArguments = (n: number): string[] => [WORKER, String(n)];

/** Whether this process is a worker, which a primary process has started and talks to. */
export const isWorker = (): boolean => process.argv[2] === WORKER && process.send !== undefined;
