import { createOpenAI } from '@ai-sdk/openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { HumanMessage, ToolMessage, type AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { tool as langchainTool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { stepCountIs, streamText, tool, type LanguageModel } from 'ai';
import { z } from 'zod';
import { chunks, fakeProvider, testCluster, toolCalls, type FakeProvider, type TestCluster } from '@deja/testing';

const MODEL = 'gpt-4o-mini';
const ANSWER = 'It snows in Oslo.';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({ provider });
}, 60_000);
afterEach(() => provider.reset());
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

/** The model first calls the tool, and then, given its result, answers in several pieces. */
const scriptToolThenAnswer = (): void => provider.script(toolCalls([{ name: 'get_weather', arguments: '{"city":"Oslo"}', id: 'call_weather' }]), chunks(['It ', 'snows ', 'in ', 'Oslo.']));
const base = (): { baseURL: string; apiKey: string } => ({ baseURL: `${cluster.url}/v1`, apiKey: cluster.key });
const lastBody = (): string => JSON.stringify(provider.requests.at(-1)?.body);
const CITY = z.object({ city: z.string() });

describe('frameworks that sit on OpenAI’s API work unchanged', () => {
  test('LangChain streams a chat whose tool gets its arguments, and the text after it', async () => {
    const asked: string[] = [];
    const weather = langchainTool(({ city }: z.infer<typeof CITY>) => {
      asked.push(city);
      return 'Snow.';
    }, { name: 'get_weather', description: 'The weather of a city.', schema: CITY });
    const { baseURL, apiKey } = base();
    const model = new ChatOpenAI({ model: MODEL, apiKey, maxRetries: 0, configuration: { baseURL } }).bindTools([weather]);
    const messages: BaseMessage[] = [new HumanMessage('LangChain asks: how is the weather in Oslo?')];
    scriptToolThenAnswer();
    const { whole: calling } = await joined(await model.stream(messages));
    expect(calling.tool_calls).toMatchObject([{ name: 'get_weather', args: { city: 'Oslo' }, id: 'call_weather' }]);
    const results = await Promise.all((calling.tool_calls ?? []).map(async (call) => new ToolMessage({ tool_call_id: call.id ?? '', content: String(await weather.invoke(call.args as z.infer<typeof CITY>)) })));
    const { whole: answered, texts } = await joined(await model.stream([...messages, calling, ...results]));
    expect(asked).toEqual(['Oslo']);
    expect(texts.filter((text) => text !== '')).toEqual(['It ', 'snows ', 'in ', 'Oslo.']);
    expect(answered.content).toBe(ANSWER);
    expect(answered.usage_metadata?.output_tokens).toBeGreaterThan(0);
    expect(lastBody()).toContain('"tool_call_id":"call_weather"');
  });

  test.each([
    ['chat completions', '/v1/chat/completions', (): LanguageModel => createOpenAI(base()).chat(MODEL)],
    ['responses, its default', '/v1/responses', (): LanguageModel => createOpenAI(base())(MODEL)],
  ])('the Vercel AI SDK streams a chat with a tool over %s', async (over, path, model) => {
    const asked: string[] = [];
    scriptToolThenAnswer();
    const result = streamText({
      model: model(),
      prompt: `The AI SDK asks over ${over}: how is the weather in Oslo?`,
      maxRetries: 0,
      stopWhen: stepCountIs(3),
      tools: { get_weather: tool({ description: 'The weather of a city.', inputSchema: CITY, execute: ({ city }) => {
        asked.push(city);
        return 'Snow.';
      } }) },
    });
    const texts: string[] = [];
    for await (const text of result.textStream) texts.push(text);
    expect(asked).toEqual(['Oslo']);
    expect(texts).toEqual(['It ', 'snows ', 'in ', 'Oslo.']);
    expect(await result.text).toBe(ANSWER);
    expect(await result.finishReason).toBe('stop');
    expect((await result.totalUsage).outputTokens).toBeGreaterThan(0);
    expect(provider.requests.map((request) => request.path)).toEqual([path, path]);
    expect(lastBody()).toContain('Snow.');
  });
});

async function joined(stream: AsyncIterable<AIMessageChunk>): Promise<{ whole: AIMessageChunk; texts: unknown[] }> {
  let whole: AIMessageChunk | undefined;
  const texts: unknown[] = [];
  for await (const chunk of stream) {
    texts.push(chunk.content);
    whole = whole === undefined ? chunk : whole.concat(chunk);
  }
  if (whole === undefined) throw new Error('the stream was empty');
  return { whole, texts };
}
