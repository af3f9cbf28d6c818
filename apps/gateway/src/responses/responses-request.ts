import { z } from 'zod';

const nullish = <T extends z.ZodType>(schema: T): z.ZodOptional<z.ZodNullable<T>> => schema.nullable().optional();

/** A string or a list, whose problems are named by the place inside the list; a plain union would name the whole field. */
function textOr<T extends z.ZodType>(list: T, expected: string): z.ZodType<string | z.infer<T>> {
  return z.custom<string | z.infer<T>>().superRefine((value: unknown, context) => {
    if (typeof value === 'string') return;
    if (!Array.isArray(value)) {
      context.addIssue({ code: 'custom', message: expected });
      return;
    }
    const problem = list.safeParse(value).error?.issues[0];
    if (problem) context.addIssue({ code: 'custom', path: [...problem.path], message: problem.message });
  });
}

/** Members that must be strings, by the `type` of what holds them. What is not listed is looked at by the provider only. */
const PART_STRINGS: Record<string, readonly string[]> = { input_text: ['text'], output_text: ['text'], refusal: ['refusal'], summary_text: ['text'], reasoning_text: ['text'] };
const ITEM_STRINGS: Record<string, readonly string[]> = {
  function_call: ['call_id', 'name', 'arguments'],
  function_call_output: ['call_id'],
  custom_tool_call: ['call_id', 'name', 'input'],
  custom_tool_call_output: ['call_id'],
  item_reference: ['id'],
};
const TOOL_STRINGS: Record<string, readonly string[]> = { function: ['name'], custom: ['name'] };
const FORMAT_STRINGS: Record<string, readonly string[]> = { json_schema: ['name'] };

type Problems = z.core.$RefinementCtx<Record<string, unknown>>;

const holdsStrings =
  (table: Record<string, readonly string[]>) =>
  (value: Record<string, unknown>, context: Problems): void => {
    const type = value['type'];
    if (typeof type !== 'string' || !Object.hasOwn(table, type)) return;
    for (const name of table[type] ?? []) if (typeof value[name] !== 'string') context.addIssue({ code: 'custom', path: [name], message: 'expected string' });
  };

const part = z.looseObject({ type: z.string().min(1) }).superRefine(holdsStrings(PART_STRINGS));
const parts = z.array(part);
const content = textOr(parts, 'expected a string or an array of content parts');

const item = z
  .looseObject({
    type: nullish(z.string().min(1)),
    role: nullish(z.enum(['user', 'assistant', 'system', 'developer'])),
    // Checked below where their shape is known. Elsewhere they have others (a screenshot, a shell's output), and are the provider's to look at.
    content: z.custom<string | z.infer<typeof parts> | null | undefined>().optional(),
    output: z.custom<string | z.infer<typeof parts> | null | undefined>().optional(),
    summary: z.custom<z.infer<typeof parts> | null | undefined>().optional(),
  })
  .superRefine((value, context) => {
    holdsStrings(ITEM_STRINGS)(value, context);
    // An item without type is a message, or by its id alone a reference.
    const isMessage = value.type === 'message' || (value.type == null && !('id' in value && value.role == null));
    const missing = (name: string, expected: string): void => context.addIssue({ code: 'custom', path: [name], message: expected });
    if (isMessage && value.role == null) missing('role', 'expected one of user, assistant, system, developer');
    else if (isMessage && value.content == null) missing('content', 'a message needs content');
    const check = (name: 'content' | 'output' | 'summary', schema: z.ZodType): void => {
      const problem = value[name] == null ? undefined : schema.safeParse(value[name]).error?.issues[0];
      if (problem) context.addIssue({ code: 'custom', path: [name, ...problem.path], message: problem.message });
    };
    if (isMessage || value.type === 'reasoning') check('content', content);
    if (value.type === 'reasoning') check('summary', parts);
    if (value.type !== 'function_call_output' && value.type !== 'custom_tool_call_output') return;
    if (value.output == null) return missing('output', 'expected a string or an array of content parts');
    check('output', content);
  });

const named = z.looseObject({ id: z.string().min(1) });

/** OpenAI's request for a model response ("Create a model response"): known fields strictly, unknown ones untouched. */
export const responsesRequest = z
  .looseObject({
    model: z.string().min(1).max(256),
    input: nullish(textOr(z.array(item), 'expected a string or an array of items')),
    instructions: nullish(z.string()),
    stream: nullish(z.boolean()),
    stream_options: nullish(z.looseObject({ include_obfuscation: nullish(z.boolean()) })),
    max_output_tokens: nullish(z.int().min(1)),
    temperature: nullish(z.number().min(0).max(2)),
    top_p: nullish(z.number().min(0).max(1)),
    tools: nullish(z.array(z.looseObject({ type: z.string() }).superRefine(holdsStrings(TOOL_STRINGS)))),
    tool_choice: nullish(z.union([z.string(), z.looseObject({ type: z.string() })], { error: 'expected a string or an object with a type' })),
    parallel_tool_calls: nullish(z.boolean()),
    text: nullish(z.looseObject({ format: nullish(z.looseObject({ type: z.string() }).superRefine(holdsStrings(FORMAT_STRINGS))), verbosity: nullish(z.string()) })),
    reasoning: nullish(z.looseObject({ effort: nullish(z.string()), summary: nullish(z.string()) })),
    previous_response_id: nullish(z.string().min(1)),
    conversation: nullish(z.union([z.string().min(1), named], { error: 'expected an id or an object with an id' })),
    prompt: nullish(named),
    store: nullish(z.boolean()),
    background: nullish(z.boolean()),
    metadata: nullish(z.record(z.string(), z.string())),
    include: nullish(z.array(z.string())),
    truncation: nullish(z.enum(['auto', 'disabled'])),
    user: nullish(z.string()),
    safety_identifier: nullish(z.string()),
    prompt_cache_key: nullish(z.string()),
    top_logprobs: nullish(z.int().min(0).max(20)),
    service_tier: nullish(z.string()),
    max_tool_calls: nullish(z.int().min(1)),
  })
  .superRefine((value, context) => {
    const elsewhere = value.prompt != null || value.previous_response_id != null || value.conversation != null;
    if (elsewhere || (value.input != null && value.input.length > 0) || value.input === '') return;
    context.addIssue({ code: 'custom', path: ['input'], message: 'expected a string or a non-empty array of items' });
  });

/** The body of a validated request for a model response. */
export type ResponsesBody = z.infer<typeof responsesRequest>;
/** One item of `input`: a message, a tool call, its output, reasoning, … */
export type InputItem = z.infer<typeof item>;
/** One part of a message's content or of a tool's output. */
export type InputPart = z.infer<typeof part>;
