import type { Attributes } from '@opentelemetry/api';
import type { Principal } from '@deja/contracts';
import { GEN_AI } from '@deja/telemetry';
import type { Captured, NotedBody } from '../capture/captured.ts';
import type { OperationFacts } from '../settle/settlement.ts';
import { boundedJson, type BoundedJson } from './bounded-messages.ts';
import { inputOf, outputOf, type MessagePart } from './messages.ts';
import { DEJA } from './names.ts';
import { fieldsOf } from './reply-facts.ts';

/** Longer bodies are not looked into. */
const MOST_BODY_BYTES = 4 * 1024 * 1024;

/** Whether spans have what people and models wrote: off unless an operator switches it on, by the conventions' own variable. */
export const capturesContent = (variables: NodeJS.ProcessEnv): boolean => variables['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT'] === 'true';

/** A key or a tenant of which nothing, or only the shape, is to be kept (`capture`) has no content in spans either. */
export const mayTraceContent = ({ capture }: Pick<Principal, 'capture'>): boolean => capture === undefined || capture === 'full';

/** What an operation said and was answered, as far as content rules let it pass; of one that they blocked, nothing. */
export function contentAttributes(endpoint: string, principal: Pick<Principal, 'capture'>, captured: Captured, outcome: OperationFacts['outcome']): Attributes {
  if (!mayTraceContent(principal) || outcome === 'blocked') return {};
  const request = valueOf(captured.request);
  const response = valueOf(captured.response);
  const { messages, instructions } = request === null ? { messages: [], instructions: [] } : inputOf(endpoint, request);
  const output = response === null ? [] : outputOf(endpoint, response);
  const input = messages.length === 0 ? null : boundedJson(messages, 'last');
  const answer = output.length === 0 ? null : boundedJson(output, 'first');
  const system = instructions.length === 0 ? null : instructionsJson(instructions);
  return {
    ...(input && { [GEN_AI.inputMessages]: input.json }),
    ...(answer && { [GEN_AI.outputMessages]: answer.json }),
    ...(system && { [GEN_AI.systemInstructions]: system.json }),
    ...([input, answer, system].some((bounded) => bounded?.isCut) && { [DEJA.contentCut]: true }),
  };
}

/** The schema of instructions is that of the parts of one message. */
function instructionsJson(parts: MessagePart[]): BoundedJson {
  const { json, isCut } = boundedJson([{ role: 'system', parts }], 'first');
  const [message] = JSON.parse(json) as { parts: unknown[] }[];
  return { json: JSON.stringify(message?.parts ?? []), isCut };
}

/** A body of which the text may be kept, parsed. */
function valueOf(body: NotedBody | null): Readonly<Record<string, unknown>> | null {
  if (body === null || body.keep !== 'by_mode') return null;
  if (body.value !== undefined) return fieldsOf(body.value);
  if (body.text.length > MOST_BODY_BYTES) return null;
  try {
    return fieldsOf(JSON.parse(body.text.toString()));
  } catch {
    return null;
  }
}
