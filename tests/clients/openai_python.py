"""Calls everything that OpenAI's own Python SDK can call, and prints what came of it: openai_python.py sync|async <base URL> <key>.

Every call is written once: what the async client has to be awaited for, the sync one gives at once.
"""

import asyncio
import inspect
import json
import sys

from openai import APIStatusError, AsyncOpenAI, OpenAI
from pydantic import BaseModel

from normalise import digest, normalised, plain

MODEL = "gpt-4o-mini"
UNKNOWN_MODEL = "no-such-model"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = [{"type": "function", "function": {"name": name, "strict": True, "parameters": PARAMETERS}} for name in ("get_weather", "get_time")]
RESPONSE_TOOL = {"type": "function", "name": "get_weather", "strict": True, "parameters": PARAMETERS}


class Answer(BaseModel):
    city: str
    population: int


async def wait(value):
    return await value if inspect.isawaitable(value) else value


async def every(stream):
    """All items of a stream or of a paginated list."""
    stream = await wait(stream)
    if hasattr(stream, "__aiter__"):
        return [item async for item in stream]
    return list(stream)


async def streamed(manager, final):
    """The final value of one of the SDK's stream helpers."""
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            return await wait(getattr(stream, final)())
    with manager as stream:
        return getattr(stream, final)()


class Calls:
    def __init__(self, kind, base_url, key):
        make = AsyncOpenAI if kind == "async" else OpenAI
        self.client = make(base_url=base_url, api_key=key, max_retries=0, timeout=30)
        self.stranger = self.client.with_options(api_key="sk-invalid")
        self.who = f"Python {kind}"
        self.outcomes = []

    async def call(self, name, make, shown=lambda result: result):
        """Makes one call and keeps what it gave; returns it, or None where it failed, so that what builds upon it is tried anyhow."""
        try:
            result = await wait(make())
            self.outcomes.append({"name": name, "result": normalised(plain(shown(result)))})
            return result
        except Exception as error:  # whatever it is, it is the outcome
            status = error.status_code if isinstance(error, APIStatusError) else None
            self.outcomes.append({"name": name, "error": {"class": type(error).__name__, "status": status}})
            return None

    def ask(self, text, **more):
        return {"model": MODEL, "messages": [{"role": "user", "content": f"{self.who} asks: {text}"}], **more}

    async def chat(self):
        chat, call, ask = self.client.chat.completions, self.call, self.ask
        await call("chat: whole", lambda: chat.create(**ask("name a river in Asia.")))
        await call("chat: streamed", lambda: every(chat.create(**ask("tell me about mountains."), stream=True)))
        await call("chat: streamed with usage", lambda: every(chat.create(**ask("tell me about deserts."), stream=True, stream_options={"include_usage": True})))
        await call("chat: stream helper", lambda: streamed(chat.stream(**ask("what is a glacier?")), "get_final_completion"))
        await call("chat: a tool", lambda: chat.create(**ask("use get_weather for Lyon."), tools=TOOLS))
        await call("chat: a tool, streamed", lambda: every(chat.create(**ask("use get_weather for Oslo."), tools=TOOLS, stream=True)))
        await call("chat: tools in parallel", lambda: chat.create(**ask("use get_weather and get_time for Rome."), tools=TOOLS, parallel_tool_calls=True))
        await call("chat: parse", lambda: chat.parse(**ask("which city is largest?"), response_format=Answer))
        await call("chat: logprobs", lambda: chat.create(**ask("is water wet?"), logprobs=True, top_logprobs=2))
        await call("chat: two choices", lambda: chat.create(**ask("heads or tails?"), n=2))
        await call("chat: stop", lambda: chat.create(**ask("count to END and then on."), stop=["END"]))
        await call("chat: an unknown field", lambda: chat.create(**ask("anything new?"), extra_body={"field_of_tomorrow": {"deep": [1, 2]}}))
        picture = [{"type": "text", "text": f"{self.who} asks: what is in it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
        await call("chat: a picture", lambda: chat.create(model=MODEL, messages=[{"role": "user", "content": picture}]))
        await call("chat: max_completion_tokens", lambda: chat.create(**ask("a short word?"), max_completion_tokens=50, seed=7))
        await call("chat: left in the middle of a stream", self.leave)
        await call("chat: with_raw_response", lambda: chat.with_raw_response.create(**ask("who are you?")), lambda raw: {
            "data": plain(raw.parse()), "status": raw.status_code, "type": raw.headers["content-type"].split(";")[0], "has_request_id": bool(raw.headers.get("x-request-id")),
        })

    async def leave(self):
        stream = await wait(self.client.chat.completions.create(**self.ask("a long story, please, with many words in it."), stream=True))
        text = ""
        if hasattr(stream, "__aiter__"):
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
                if len(text.split(" ")) > 3:
                    break
        else:
            for chunk in stream:
                text += chunk.choices[0].delta.content or ""
                if len(text.split(" ")) > 3:
                    break
        await wait(stream.close())
        return {"text": text}

    async def refused(self):
        client, call = self.client, self.call
        await call("refused: messages that are none", lambda: client.chat.completions.create(model=MODEL, messages="Hello"))
        await call("refused: a wrong key", lambda: self.stranger.chat.completions.create(**self.ask("may I?")))
        await call("refused: an unknown model", lambda: client.chat.completions.create(**{**self.ask("may I?"), "model": UNKNOWN_MODEL}))
        await call("refused: an unknown response", lambda: client.responses.retrieve("resp_unknown"))
        await call("refused: an unknown previous response", lambda: client.responses.create(model=MODEL, input=f"{self.who} asks: go on.", previous_response_id="resp_unknown"))
        await call("refused: an unknown file", lambda: client.files.retrieve("file-unknown"))

    async def responses(self):
        responses, call, who = self.client.responses, self.call, self.who
        made = await call("responses: whole", lambda: responses.create(model=MODEL, input=f"{who} asks: name a lake.", instructions="Be brief.", metadata={"team": "maps"}))
        made_id = made.id if made else "resp_missing"
        await call("responses: streamed", lambda: every(responses.create(model=MODEL, input=f"{who} asks: name an island.", stream=True)))
        await call("responses: stream helper", lambda: streamed(responses.stream(model=MODEL, input=f"{who} asks: name a bay."), "get_final_response"))
        await call("responses: parse", lambda: responses.parse(model=MODEL, input=f"{who} asks: a city as JSON.", text_format=Answer))
        await call("responses: a tool", lambda: responses.create(model=MODEL, input=f"{who} asks: use get_weather here.", tools=[RESPONSE_TOOL]))
        await call("responses: a tool, streamed", lambda: every(responses.create(model=MODEL, input=f"{who} asks: use get_weather there.", tools=[RESPONSE_TOOL], stream=True)))
        await call("responses: the next turn", lambda: responses.create(model=MODEL, input=f"{who} asks: and another lake?", previous_response_id=made_id))
        await call("responses: retrieve", lambda: responses.retrieve(made_id))
        await call("responses: input items", lambda: every(responses.input_items.list(made_id)))
        await call("responses: delete", lambda: responses.delete(made_id))
        await call("responses: retrieve what was deleted", lambda: responses.retrieve(made_id))
        waiting = await call("responses: in the background", lambda: responses.create(model=MODEL, input=f"{who} asks: take your time.", background=True))
        await call("responses: cancel", lambda: responses.cancel(waiting.id if waiting else "resp_missing"))

    async def texts(self):
        client, call, who = self.client, self.call, self.who
        small, older = "text-embedding-3-small", "gpt-3.5-turbo-instruct"
        await call("embeddings: as the SDK asks", lambda: client.embeddings.create(model=small, input=f"{who}: a text"))
        await call("embeddings: floats", lambda: client.embeddings.create(model=small, input=f"{who}: another text", encoding_format="float"))
        await call("embeddings: several, with dimensions", lambda: client.embeddings.create(model=small, input=[f"{who}: one", f"{who}: two"], dimensions=4))
        await call("embeddings: tokens", lambda: client.embeddings.create(model=small, input=[[1, 2, 3], [4, 5]]))
        await call("completions: whole", lambda: client.completions.create(model=older, prompt=f"{who} says: once upon a time"))
        await call("completions: streamed", lambda: every(client.completions.create(model=older, prompt=f"{who} says: twice upon a time", stream=True)))
        await call("moderations: several texts", lambda: client.moderations.create(model="omni-moderation-latest", input=[f"{who}: good", f"{who}: violence-test"]))
        await call("models: list", lambda: every(client.models.list()), lambda models: any(model.id == MODEL and model.object == "model" for model in models))
        await call("models: retrieve", lambda: client.models.retrieve(MODEL), lambda model: {"id": model.id, "object": model.object})

    async def media(self):
        images, audio, call, who = self.client.images, self.client.audio, self.call, self.who
        picture, recording = ("picture.png", f"{who}: picture".encode(), "image/png"), ("recording.mp3", f"{who}: recording".encode(), "audio/mpeg")
        await call("images: generate", lambda: images.generate(model="gpt-image-1", prompt=f"{who} draws a cat", n=2))
        await call("images: edit", lambda: images.edit(model="gpt-image-1", image=[picture, picture], prompt=f"{who} adds two hats"))
        await call("audio: speech", lambda: audio.speech.create(model="tts-1", voice="alloy", input=f"{who} says hello."), lambda speech: digest(speech.content))
        await call("audio: transcription", lambda: audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=recording))
        await call("audio: transcription, streamed", lambda: every(audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=recording, stream=True)))
        await call("audio: translation", lambda: audio.translations.create(model="whisper-1", file=recording))

    async def files(self):
        files, batches, call = self.client.files, self.client.batches, self.call
        line = json.dumps({"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": self.ask("in a batch.")})
        file = await call("files: create", lambda: files.create(file=("lines.jsonl", f"{line}\n".encode()), purpose="batch"))
        file_id = file.id if file else "file-missing"
        await call("files: list", lambda: every(files.list(purpose="batch", limit=100)), lambda found: [one for one in found if one.id == file_id])
        await call("files: retrieve", lambda: files.retrieve(file_id))
        await call("files: content", lambda: files.content(file_id), lambda content: content.text)
        order = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = await call("batches: create", lambda: batches.create(**order))
        await call("batches: retrieve", lambda: batches.retrieve(batch.id if batch else "batch_missing"))
        second = await call("batches: create another", lambda: batches.create(**order))
        await call("batches: cancel", lambda: batches.cancel(second.id if second else "batch_missing"))
        await call("batches: list", lambda: every(batches.list(limit=100)), lambda found: [one for one in found if batch and one.id == batch.id])
        await call("files: delete", lambda: files.delete(file_id))
        await call("files: retrieve what was deleted", lambda: files.retrieve(file_id))


async def main(kind, base_url, key):
    calls = Calls(kind, base_url, key)
    for part in (calls.chat, calls.refused, calls.responses, calls.texts, calls.media, calls.files):
        await part()
    print(json.dumps(calls.outcomes))


asyncio.run(main(*sys.argv[1:]))
