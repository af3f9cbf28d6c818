export interface TestRedis {
    url: string;
    stop(): Promise<void>;
}
/** A Redis of its own, without persistence. */
export declare function startRedis(): Promise<TestRedis>;
/** Waits for a condition; fails when it does not come true within ten seconds. */
export declare function until(condition: () => boolean | Promise<boolean>): Promise<void>;
//# sourceMappingURL=redis.d.ts.map