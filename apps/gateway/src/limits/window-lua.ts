/**
 * Sliding windows, exact to a second, for minutes and days alike.
 * A window is a head, and a list of entries, one for each second in which something was charged, but for the last one, which stands in the head. An
 * entry counts until its whole second has left the window, so no minute (and no day), wherever it begins, admits more than the limit. Idle time
 * costs nothing, and a list has no more entries than its window has seconds.
 * Heads are text by themselves: all that one request asks for are read by one MGET, which takes a key of another type for none, and to write one takes
 * half as long as to change an element of a list. Within a second, nothing else is touched.
 * Entries are numbered from the first that was ever made, so a correction finds its entry at once; the second proves that it is the one.
 * Binary, because a day is up to 86,400 entries, and text takes six times as long to read. Head: entries taken off so far, number of the last entry,
 * sums of requests and tokens, then the last entry, then the second of the oldest in the list (0: none). Entry: second (Unix), requests, tokens.
 */
const HEAD_FORMAT = `'>ddddI4I4dI4'`;
const HEAD_BYTES = 52;
const ENTRY_FORMAT = `'>I4I4d'`;
const ENTRY_BYTES = 16;
const PAST = `':past'`;
const SLACK_S = 5;
/** What else has expired is taken off by the decisions to come, and at once where it would make one refuse. */
const EXPIRED_AT_ONCE = 4096;
/** Entries that are looked at for a wait. */
const WALKED = 128;

/** Lua. Changes an entry that was charged, where it still stands. `head`: as it stands in Redis, false where it does not. Needs READ. */
export const CORRECT = `
local function correct(key, head, at, entry, requests, tokens)
  if not head or #head ~= ${HEAD_BYTES} then return end
  local gone, number, allRequests, allTokens, last, lastRequests, lastTokens, oldest = struct.unpack(${HEAD_FORMAT}, head)
  if entry == number and at == last then
    requests, tokens = math.max(requests, 0 - lastRequests), math.max(tokens, 0 - lastTokens)
    lastRequests, lastTokens = lastRequests + requests, lastTokens + tokens
  else
    local past, index = key .. ${PAST}, entry - gone
    local text = index >= 0 and entry < number and read('LINDEX', past, index)
    if not text or #text ~= ${ENTRY_BYTES} then return end
    local found, itsRequests, itsTokens = struct.unpack(${ENTRY_FORMAT}, text)
    if found ~= at then return end
    requests, tokens = math.max(requests, 0 - itsRequests), math.max(tokens, 0 - itsTokens)
    redis.call('LSET', past, index, struct.pack(${ENTRY_FORMAT}, at, itsRequests + requests, itsTokens + tokens))
  end
  allRequests, allTokens = math.max(0, allRequests + requests), math.max(0, allTokens + tokens)
  redis.call('SET', key, struct.pack(${HEAD_FORMAT}, gone, number, allRequests, allTokens, last, lastRequests, lastTokens, oldest), 'KEEPTTL')
end
`;

/**
 * Positions in a window as scripts have it: what its head says, and two marks: shrunk, entries were taken off and the head does not say so yet; behind, there
 * are more to be taken off. Where nothing counts the last second is false, and the next charge begins the window anew, whatever stands in Redis.
 */
export const HEAD = { gone: 1, number: 2, requests: 3, tokens: 4, last: 5, lastRequests: 6, lastTokens: 7, oldest: 8, shrunk: 9, behind: 10 };

/** Lua. Takes off what has left the window, about so many entries at most. Needs READ. */
const EXPIRE = `
local function expire(w, key, length, second, most)
  local past, chunk = key .. ${PAST}, 2
  w[${HEAD.shrunk}], w[${HEAD.behind}] = true, false
  while true do
    local entries, count, stands = read('LRANGE', past, 0, chunk - 1), 0, false
    for _, entry in ipairs(entries) do
      local at, requests, tokens
      if #entry == ${ENTRY_BYTES} then at, requests, tokens = struct.unpack(${ENTRY_FORMAT}, entry) end
      stands = not at or at >= second - length
      if stands then
        w[${HEAD.oldest}] = at
        break
      end
      count = count + 1
      w[${HEAD.requests}], w[${HEAD.tokens}] = math.max(0, w[${HEAD.requests}] - requests), math.max(0, w[${HEAD.tokens}] - tokens)
    end
    if count > 0 then
      w[${HEAD.gone}], most = w[${HEAD.gone}] + count, most - count
      redis.call('LPOP', past, count)
    end
    if not stands and count < chunk then w[${HEAD.oldest}] = w[${HEAD.gone}] == w[${HEAD.number}] and 0 or nil end
    if not w[${HEAD.oldest}] then -- the list is not this head's
      w[${HEAD.gone}], w[${HEAD.number}], w[${HEAD.requests}], w[${HEAD.tokens}], w[${HEAD.last}], w[${HEAD.oldest}], w[${HEAD.shrunk}] = 0, 0, 0, 0, false, 0, false
      return
    end
    w[${HEAD.behind}] = not stands and count == chunk and most <= 0
    if stands or count < chunk or w[${HEAD.behind}] then return end
    chunk = math.min(512, 16 * chunk)
  end
end
`;

/** Lua. `head` as for CORRECT. Needs READ. */
export const WINDOW = `
${EXPIRE}
local function window(key, length, second, head)
  local w = head and #head == ${HEAD_BYTES} and { struct.unpack(${HEAD_FORMAT}, head) }
  -- Nothing is left of it, or the clock was a whole window ahead.
  if not w or w[${HEAD.last}] < second - length or w[${HEAD.last}] > second + length then return { 0, 0, 0, 0, false, 0, 0, 0, false, false } end
  w[${HEAD.shrunk}] = false
  if w[${HEAD.oldest}] > 0 and w[${HEAD.oldest}] < second - length then expire(w, key, length, second, ${EXPIRED_AT_ONCE}) end
  return w
end
`;

/** Lua. Writes a window's head; `...`: how long it lives. */
export const KEEP = `
local function keep(w, key, ...)
  redis.call('SET', key, struct.pack(${HEAD_FORMAT}, unpack(w, 1, 8)), ...)
end
`;

/** Lua. Charges the current second; where the clock went back, the last one that was charged. Needs READ and KEEP. */
export const CHARGE = `
local function charge(w, key, length, second, requests, tokens)
  local last = w[${HEAD.last}]
  w[${HEAD.requests}], w[${HEAD.tokens}] = w[${HEAD.requests}] + requests, w[${HEAD.tokens}] + tokens
  if last and last >= second then
    w[${HEAD.lastRequests}], w[${HEAD.lastTokens}] = w[${HEAD.lastRequests}] + requests, w[${HEAD.lastTokens}] + tokens
    return keep(w, key, 'KEEPTTL')
  end
  -- How long both live is said once in half a window, and lasts for the other half too.
  local past, half = key .. ${PAST}, length / 2
  local isSaid, livesS = last and math.floor(last / half) == math.floor(second / half), length + math.ceil(half) + ${SLACK_S}
  if last then
    read('RPUSH', past, struct.pack(${ENTRY_FORMAT}, last, w[${HEAD.lastRequests}], w[${HEAD.lastTokens}]))
    if w[${HEAD.oldest}] == 0 or not isSaid then redis.call('EXPIRE', past, livesS) end
    if w[${HEAD.oldest}] == 0 then w[${HEAD.oldest}] = last end
    w[${HEAD.number}] = w[${HEAD.number}] + 1
  else
    redis.call('DEL', past)
  end
  w[${HEAD.last}], w[${HEAD.lastRequests}], w[${HEAD.lastTokens}] = second, requests, tokens
  if isSaid then keep(w, key, 'KEEPTTL') else keep(w, key, 'EX', livesS) end
end
`;

/** Lua: how long until so much fits under the limit, ms: 0 is now, -1 never. `kind`: position of the requests or the tokens. Needs WINDOW. */
export const WAIT = `
local function windowWait(w, key, length, now, kind, need, limit)
  local second = math.floor(now / 1000)
  -- The second that must have left the window until so much is gone. At most so many entries are looked at: of a day it may be too early.
  local function leavesWith(excess)
    local at, requests, tokens
    for from = 0, ${WALKED - 1}, 16 do
      local entries = read('LRANGE', key .. ${PAST}, from, from + 15)
      for _, entry in ipairs(entries) do
        if #entry ~= ${ENTRY_BYTES} then return second - length end
        at, requests, tokens = struct.unpack(${ENTRY_FORMAT}, entry)
        excess = excess - (kind == ${HEAD.requests} and requests or tokens)
        if excess <= 0 then return at end
      end
      if #entries < 16 then return w[${HEAD.last}] end
    end
    return at
  end
  if limit < 0 or w[kind] + need <= limit then return 0 end
  if need > limit then return -1 end
  if w[${HEAD.behind}] then expire(w, key, length, second, math.huge) end
  if w[kind] + need <= limit then return 0 end
  return math.max(1, (leavesWith(w[kind] + need - limit) + length + 1) * 1000 - now)
end
`;
