/** A node of a profile as the inspector gives it (https://chromedevtools.github.io/devtools-protocol/tot/Profiler/). */
export interface CallFrame {
  functionName: string;
  url: string;
  /** From 0, as the column. */
  lineNumber: number;
  columnNumber: number;
}

export interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame; children?: number[] }[];
  samples: number[];
  /** Microseconds between samples. */
  timeDeltas: number[];
}

export interface HeapNode {
  callFrame: CallFrame;
  selfSize: number;
  children: HeapNode[];
}

/** Bytes by the function that allocated them, also of what has been collected since. */
export interface HeapProfile {
  head: HeapNode;
}

const SAMPLE_EVERY_US = 500;
const SAMPLE_EVERY_BYTES = 16_384;

interface Answer {
  result?: object;
  error?: { message: string };
}

/** A Node process seen through its inspector (`--inspect`). */
export class Inspected {
  private readonly socket: WebSocket;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private kind: 'cpu' | 'heap' = 'cpu';
  private sent = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as Answer & { id?: number };
      if (message.id !== undefined) this.waiting.get(message.id)?.(message);
    });
  }

  static open(url: string): Promise<Inspected> {
    const socket = new WebSocket(url);
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(new Inspected(socket)));
      socket.addEventListener('error', () => reject(new Error('the inspector did not answer')));
    });
  }

  async start(kind: 'cpu' | 'heap'): Promise<void> {
    this.kind = kind;
    if (kind === 'heap') {
      await this.call('HeapProfiler.startSampling', { samplingInterval: SAMPLE_EVERY_BYTES, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true });
      return;
    }
    await this.call('Profiler.enable', {});
    await this.call('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
    await this.call('Profiler.start', {});
  }

  async stop(): Promise<CpuProfile | HeapProfile> {
    const { profile } = (await this.call(this.kind === 'heap' ? 'HeapProfiler.stopSampling' : 'Profiler.stop', {})) as { profile: CpuProfile | HeapProfile };
    return profile;
  }

  /** Bytes in use after a full garbage collection: objects, and the buffers they hold. The process stands still for so long, some tens of milliseconds. */
  async liveBytes(): Promise<number> {
    await this.call('HeapProfiler.collectGarbage', {});
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = (await this.call('Runtime.getHeapUsage', {})) as { usedSize: number; embedderHeapUsedSize: number; backingStorageSize: number };
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  }

  close(): void {
    this.socket.close();
  }

  private call(method: string, params: object): Promise<unknown> {
    const id = ++this.sent;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, ({ result, error }) => (error === undefined ? resolve(result) : reject(new Error(error.message))));
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
