import { Module, type DynamicModule } from '@nestjs/common';
import { CacheMetrics } from './metrics.ts';
import { SemanticCacheController } from './semantic-cache.controller.ts';
import { SemanticCache } from './semantic-cache.ts';

@Module({})
export class SemanticCacheModule {
  /** What needs a connection or a file is made by main.ts, in the order in which it has to start. */
  static with(cache: SemanticCache, metrics: CacheMetrics): DynamicModule {
    return {
      module: SemanticCacheModule,
      controllers: [SemanticCacheController],
      providers: [
        { provide: SemanticCache, useValue: cache },
        { provide: CacheMetrics, useValue: metrics },
      ],
    };
  }
}
