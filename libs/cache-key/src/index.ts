export { canonicalRequest, type CanonicalRequest, type ParsedBody } from './canonical.ts';
export { lastUserText } from './conversation.ts';
export { compileWordings, eligibility, type Eligibility, type IneligibleReason, type Sharing } from './eligibility.ts';
export { cacheKeys, exactCacheKey, fingerprint, type KeyScope } from './keys.ts';
export { normaliseText } from './normalise.ts';
