import { scanMembers, withMembers, type JsonBody } from '../../validate/json-body.ts';
import { paramsOf, type CompatibleServer, type ServerParamRule } from './compatible-servers.ts';
import { withoutDeveloperRole } from './developer-role.ts';

export interface OpenAiBodyOptions {
  upstreamModel: string;
  stream: boolean;
  /** Whether the client asked for usage in its stream. */
  includeUsage: boolean;
  server: CompatibleServer;
  /** Below the base URL: `chat/completions`, `embeddings`, … */
  endpoint: string;
}

/** Endpoints that take `stream_options.include_usage` (OpenAI API reference); the others send usage by themselves or never. */
const WITH_STREAM_OPTIONS = new Set(['chat/completions', 'completions']);

/** Where each endpoint has its messages. */
const MESSAGES: Readonly<Record<string, string>> = { 'chat/completions': 'messages', responses: 'input' };

/**
 * The client's own body with only what must change for this server; everything else stays byte for byte, every digit included.
 * A parameter that `refusedParam` would refuse is left for the server to refuse.
 */
export function openAiBody(body: JsonBody, o: OpenAiBodyOptions): { text: string; dropped: string[] } {
  const changes: Record<string, string | null> = {};
  const dropped: string[] = [];
  if (body.value['model'] !== o.upstreamModel) changes['model'] = JSON.stringify(o.upstreamModel);
  const rules = paramsOf(o.server, o.endpoint);
  for (const name of body.members.keys()) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) continue;
    Object.assign(changes, paramChange(body, name, rule));
    if (rule.fate === 'dropped' && asksForMore(rule, body.value[name])) dropped.push(name);
  }
  if (WITH_STREAM_OPTIONS.has(o.endpoint)) Object.assign(changes, streamOptionsChange(body, o));
  if (!o.server.developerRole) Object.assign(changes, developerChange(body, o.endpoint));
  return { text: withMembers(body, changes), dropped };
}

/** Whether a value asks for anything the server would not do without it. */
const asksForMore = (rule: ServerParamRule, value: unknown): boolean => value !== null && value !== undefined && !(rule.isNeutral?.(value) ?? false);

function paramChange(body: JsonBody, name: string, rule: ServerParamRule): Record<string, string | null> {
  if (!asksForMore(rule, body.value[name]) || rule.fate === 'dropped') return { [name]: null };
  if (rule.to === undefined) return {};
  return { [name]: null, [rule.to]: valueText(body, name).trim() };
}

/** Usage is asked for in every stream: the bill needs it. */
function streamOptionsChange(body: JsonBody, o: OpenAiBodyOptions): Record<string, string | null> {
  const options = body.value['stream_options'];
  if (o.server.usageInStreams === 'unasked') return { stream_options: null };
  if (!o.stream || o.includeUsage) return {};
  if (options === undefined || options === null) return { stream_options: '{"include_usage":true}' };
  if (typeof options !== 'object' || Array.isArray(options)) return {}; // the server's to refuse
  const text = valueText(body, 'stream_options');
  return { stream_options: withMembers({ text, value: options as Record<string, unknown>, members: scanMembers(text) }, { include_usage: 'true' }) };
}

function developerChange(body: JsonBody, endpoint: string): Record<string, string> {
  const name = MESSAGES[endpoint];
  const messages = name === undefined ? undefined : body.value[name];
  if (name === undefined || !Array.isArray(messages)) return {};
  const known = messages.every((message: unknown) => (message as { role?: unknown } | null)?.role !== 'developer');
  return known ? {} : { [name]: withoutDeveloperRole(valueText(body, name)) };
}

/** The JSON text of a top-level value, with the white space around it. */
function valueText(body: JsonBody, name: string): string {
  const member = body.members.get(name)?.at(-1);
  return member === undefined ? 'null' : body.text.slice(member.valueStart, member.end);
}
