import type { Redis } from 'ioredis';
/** A Redis of this test's own. */
export interface OwnRedis {
    url: string;
    redis: Redis;
    /** Ends the server process at once, as a crash does. */
    kill(): Promise<void>;
    restart(): Promise<void>;
    stop(): Promise<void>;
}
export declare const silent: {
    info: () => undefined;
    warn: () => undefined;
    error: () => undefined;
};
export declare function ownRedis(): Promise<OwnRedis>;
/** Waits for a condition, with a deadline. */
export declare function until(condition: () => boolean | Promise<boolean>): Promise<void>;
//# sourceMappingURL=redis-server.d.ts.map