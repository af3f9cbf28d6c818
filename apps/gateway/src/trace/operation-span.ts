import { SpanStatusCode, type Attributes } from '@opentelemetry/api';
import { GEN_AI, SPAN } from '@deja/telemetry';
import type { Operation } from '../operation/operation.ts';
import { totalCost } from '../reply/reply.ts';
import { usageOf } from '../settle/settlement.ts';
import { replyAttributes } from './attempt-span.ts';
import { contentAttributes } from './content.ts';
import { maskedText } from './masked-attributes.ts';
import { DEJA } from './names.ts';
import { usageAttributes, usdOf } from './usage-attributes.ts';

/** Ends the span of an operation, with all that is known of it by now. Attributes are made only where somebody will see them. */
export function endOperationSpan(operation: Operation): void {
  const { span } = operation;
  try {
    if (!operation.isTraced) return;
    if (isOurError(operation)) span.setStatus({ code: SpanStatusCode.ERROR, message: operation.errorCode ?? '' });
    span.setAttributes(operationAttributes(operation));
  } finally {
    span.end();
  }
}

/** As the HTTP conventions say for servers: a client's own mistake (4xx) is none of this service; an answer that broke off after its head is. */
const isOurError = ({ outcome, status }: Operation): boolean => outcome === 'error' && (status >= 500 || status < 400);

function operationAttributes(operation: Operation): Attributes {
  const { captured, principal, cacheReason, errorCode, status, flags } = operation;
  return {
    [DEJA.requestId]: operation.id,
    ...(principal !== null && { [DEJA.tenant]: principal.tenant }),
    [DEJA.outcome]: operation.outcome,
    ...(errorCode !== null && { [SPAN.errorType]: errorCode }),
    ...(status !== 0 && { [SPAN.httpStatus]: status }),
    [DEJA.cache]: operation.cache ?? 'none',
    ...(cacheReason !== null && { [DEJA.cacheReason]: cacheReason }),
    ...(flags.size > 0 && { [DEJA.flags]: [...flags] }),
    ...genAiAttributes(operation),
    ...servedAttributes(operation),
    ...(operation.tracesContent && principal !== null && captured !== null && contentAttributes(operation.endpoint, principal, captured, operation.outcome)),
  };
}

function genAiAttributes({ genAiOperation, requestedModel, stream, requestAttributes }: Operation): Attributes {
  return {
    ...(genAiOperation !== null && { [GEN_AI.operationName]: genAiOperation }),
    ...(requestedModel !== '' && { [GEN_AI.requestModel]: maskedText(requestedModel) }),
    ...(stream && { [GEN_AI.requestStream]: true }),
    ...requestAttributes,
  };
}

/** Who served it, what that used and what it cost: all its calls together, as the ledger has it. */
function servedAttributes(operation: Operation): Attributes {
  const { hit, servedModel, servingAttempt, stream, firstByteMs } = operation;
  const served = hit?.meta ?? servingAttempt;
  const { usage, source } = hit === null ? usageOf(operation.attempts) : { usage: hit.meta.usage, source: 'cache' };
  const traced = servingAttempt && hit === null ? operation.tracedCalls?.get(servingAttempt.id) : undefined;
  const cost = hit === null ? totalCost(operation) : 0n;
  return {
    ...(servedModel && { [DEJA.model]: maskedText(servedModel) }),
    ...(served && { [DEJA.provider]: served.provider, [DEJA.deployment]: maskedText(served.deployment) }),
    ...(hit && { [DEJA.cacheEntry]: hit.meta.id }),
    ...(hit?.similarity != null && { [DEJA.cacheSimilarity]: hit.similarity }),
    ...(stream && firstByteMs !== null && { [GEN_AI.timeToFirstChunk]: Math.round(firstByteMs) / 1000 }),
    ...(traced && { [GEN_AI.providerName]: traced.genAiProvider }),
    ...(traced?.reply && replyAttributes(traced.reply)),
    ...(usage !== null && { ...usageAttributes(usage), [DEJA.usageSource]: source }),
    ...(cost !== null && { [DEJA.costUsd]: usdOf(cost) }),
    [DEJA.attempts]: operation.attempts.filter(({ shadow }) => !shadow).length,
  };
}
