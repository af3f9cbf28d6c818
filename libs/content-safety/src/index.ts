export { ACTIONS, DETECTOR_NAMES, DETECTORS, isDetectorName, type Action, type DetectorName, type Side } from './action.ts';
export { safetySchema, type SafetyConfig } from './safety-schema.ts';
export { noSafetyRules, rulesDigest, safetyRules, type DenyRule, type ModerationRules, type SafetyProblem, type SafetyRules } from './safety-rules.ts';
export { Inspector, type Finding, type Inspection } from './inspector.ts';
export { AnswerGuard } from './answer-guard.ts';
export { SentenceBuffer, type Piece } from './sentence-buffer.ts';
export { finished, type Work } from './work.ts';
