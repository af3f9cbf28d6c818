import { ERRORS } from '@deja/contracts';

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Names of members in OpenAI's API, as requests, answers and JSON schemas have them. Any other name may be a client's own, and say something. */
export const MEMBER_NAMES: ReadonlySet<string> = new Set(
  words(`
    model models messages message input output instructions prompt suffix user role content name text type object id index choices delta data value values
    stream stream_options include_usage include_obfuscation include store background truncation metadata tools tool_choice tool_calls tool_call_id function functions function_call
    arguments description parameters strict parallel_tool_calls max_tool_calls allowed_tools mode response_format json_schema schema format
    temperature top_p top_k min_p n seed stop stop_sequences max_tokens max_completion_tokens max_output_tokens presence_penalty frequency_penalty repetition_penalty logit_bias
    logprobs top_logprobs logprob token bytes echo best_of prediction modalities audio voice verbosity reasoning reasoning_effort effort summary generate_summary thinking budget_tokens
    reasoning_content reasoning_details encrypted_content service_tier safety_identifier prompt_cache_key prompt_cache_retention previous_response_id conversation
    cache_control ttl image_url image url detail file file_id file_ids file_data file_url filename input_audio image_generation web_search_options search_context_size user_location
    finish_reason native_finish_reason refusal annotations created created_at completed_at system_fingerprint provider usage
    prompt_tokens completion_tokens total_tokens input_tokens output_tokens prompt_tokens_details completion_tokens_details input_tokens_details output_tokens_details
    cached_tokens cache_write_tokens reasoning_tokens audio_tokens image_tokens text_tokens accepted_prediction_tokens rejected_prediction_tokens cost
    error code param status incomplete_details reason call_id item_id output_index content_index sequence_number response item part action actions query queries results result score
    variables version server_label server_url connector_id headers authorization require_approval allowed_tools container vector_store_ids max_num_results filters ranking_options
    embedding encoding_format dimensions b64_json revised_prompt size quality style moderation output_format output_compression partial_images input_fidelity mask
    flagged categories category_scores category_applied_input_types purpose expires_after expires_at anchor seconds deleted
    input_file_id output_file_id error_file_id endpoint completion_window request_counts total completed failed errors line in_progress_at finalizing_at failed_at expired_at cancelling_at cancelled_at
    first_id last_id has_more language duration words segments start end speed instructions timestamp_granularities chunking_strategy
    properties required items enum const default additionalProperties anyOf oneOf allOf not $ref $defs definitions $schema title minimum maximum exclusiveMinimum exclusiveMaximum
    multipleOf minLength maxLength pattern minItems maxItems uniqueItems nullable minProperties maxProperties patternProperties propertyNames
  `),
);

/** Members whose values are words of the API. */
export const SETTING_NAMES: ReadonlySet<string> = new Set(
  words(`
    role type object finish_reason native_finish_reason status detail effort reasoning_effort verbosity tool_choice service_tier encoding_format response_format format output_format
    quality style size background truncation summary generate_summary code modalities include purpose completion_window endpoint reason voice mode search_context_size
    prompt_cache_retention require_approval moderation input_fidelity anchor timestamp_granularities
  `),
);

/** Those words. */
export const SETTING_VALUES: ReadonlySet<string> = new Set([
  ...Object.keys(ERRORS),
  ...words(`
    system developer user assistant tool function model
    text image_url input_audio file input_text input_image input_file output_text refusal summary_text reasoning_text reasoning message content thinking redacted_thinking ephemeral
    function_call function_call_output custom custom_tool_call custom_tool_call_output tool_use tool_result item_reference grammar allowed_tools compaction
    web_search web_search_preview web_search_call file_search file_search_call code_interpreter code_interpreter_call computer_use_preview computer_call computer_call_output
    image_generation image_generation_call mcp mcp_call mcp_list_tools mcp_approval_request mcp_approval_response local_shell local_shell_call shell apply_patch
    json_object json_schema string number integer boolean object array null
    invalid_request_error requests tokens insufficient_quota api_error server_error rate_limit_exceeded context_length_exceeded
    chat.completion chat.completion.chunk text_completion response list embedding batch image file.deleted response.deleted image_generation.completed realtime
    stop length tool_calls content_filter end_turn stop_sequence max_tokens pause_turn max_output_tokens
    completed in_progress incomplete failed queued cancelled cancelling validating finalizing expired uploaded processed error searching generating interpreting
    auto none minimal low medium high xhigh max original required any default flex priority scale standard hd fast
    float base64 json srt verbose_json vtt b64_json url png jpeg webp mp3 wav opus flac aac pcm pcm16 audio concise detailed disabled enabled vivid natural transparent opaque
    fine-tune vision user_data evals assistants batch_output 24h in-memory never always created_at word segment
    /v1/chat/completions /v1/completions /v1/embeddings /v1/responses /v1/moderations
    reasoning.encrypted_content message.output_text.logprobs message.input_image.image_url file_search_call.results web_search_call.action.sources code_interpreter_call.outputs computer_call_output.output.image_url
    256x256 512x512 1024x1024 1536x1024 1024x1536 1792x1024 1024x1792
    alloy ash ballad coral echo fable nova onyx sage shimmer verse marin cedar
  `),
]);
