/**
 * Lua: sliding windows, exact to a second, for minutes and days alike. Needs STATE.
 * A window is a list: a header, then an entry for each second in which something was charged, but for the last one, which stands in the header. An
 * entry counts until its whole second has left the window, so no minute (and no day), wherever it begins, admits more than the limit. Idle time
 * costs nothing, and a list has no more entries than its window has seconds.
 * Entries are numbered from the first that was ever made, so a correction finds its entry at once; the second proves that it is the one.
 * Binary, because a day is up to 86,400 entries, and text takes six times as long to read. Header: entries taken off so far, number of the last entry,
 * sums of requests and tokens, then the last entry. Entry: second (Unix), requests, tokens.
 */
export const WINDOWS = `
local HEADER, HEADER_BYTES, ENTRY, ENTRY_BYTES = '>ddddI4I4d', 48, '>I4I4d', 16
local SLACK_S = 5
local EXPIRED_AT_ONCE = 4096 -- what else has expired is taken off by the decisions to come, and at once where it would make one refuse
local WALKED = 128

local function header(w) return struct.pack(HEADER, w.gone, w.number, w.requests, w.tokens, w.last, w.lastRequests, w.lastTokens) end

local function unpackHeader(w, text)
  if not text or #text ~= HEADER_BYTES then return false end
  w.gone, w.number, w.requests, w.tokens, w.last, w.lastRequests, w.lastTokens = struct.unpack(HEADER, text)
  return true
end

-- second is nil where it is no entry.
local function unpackEntry(text)
  if not text or #text ~= ENTRY_BYTES then return end
  return struct.unpack(ENTRY, text)
end

local function emptied(w)
  w.gone, w.number, w.requests, w.tokens, w.behind, w.last = 0, 0, 0, 0, false, nil
  return w
end
local function discarded(w)
  redis.call('DEL', w.key)
  return emptied(w)
end

local function expire(w, most)
  local chunk, before = 8, w.gone
  w.behind = false
  while true do
    local entries, count = redis.call('LRANGE', w.key, 1, chunk), 0
    for _, entry in ipairs(entries) do
      local at, requests, tokens = unpackEntry(entry)
      if not at then return discarded(w) end
      if at >= second - w.length then break end
      count = count + 1
      w.requests, w.tokens = math.max(0, w.requests - requests), math.max(0, w.tokens - tokens)
    end
    if count > 0 then
      w.gone, most = w.gone + count, most - count
      redis.call('LPOP', w.key, count + 1)
      redis.call('LPUSH', w.key, header(w))
    end
    w.behind = count == chunk and most <= 0
    if count < chunk or w.behind then break end
    chunk = 512
  end
  if w.gone > before then redis.call('EXPIRE', w.key, w.length + SLACK_S) end -- the list may have been without any element
end

local function window(key, length)
  local w = emptied({ key = key, length = length })
  local start = read('LRANGE', key, 0, 1)
  if not start[1] then return w end
  local oldest = unpackEntry(start[2])
  if not unpackHeader(w, start[1]) or start[2] and not oldest then return discarded(w) end
  -- Nothing is left of it, or the clock was a whole window ahead.
  if w.last < second - length or w.last > second + length then return discarded(w) end
  if oldest and oldest < second - length then expire(w, EXPIRED_AT_ONCE) end
  return w
end

-- The second that must have left the window until so much is gone. At most so many entries are looked at: of a day it may be too early.
local function leavesWith(w, kind, excess)
  local at, requests, tokens
  for from = 1, WALKED, 16 do
    local entries = redis.call('LRANGE', w.key, from, from + 15)
    for _, entry in ipairs(entries) do
      at, requests, tokens = unpackEntry(entry)
      if not at then return second - w.length end
      excess = excess - (kind == 'requests' and requests or tokens)
      if excess <= 0 then return at end
    end
    if #entries < 16 then return w.last end
  end
  return at
end

-- How long until so much fits under the limit, ms: 0 is now, -1 never.
local function windowWait(w, kind, need, limit)
  if limit < 0 or w[kind] + need <= limit then return 0 end
  if need > limit then return -1 end
  if w.behind then expire(w, math.huge) end
  if w[kind] + need <= limit then return 0 end
  return math.max(1, (leavesWith(w, kind, w[kind] + need - limit) + w.length + 1) * 1000 - now)
end

-- Charges the current second; where the clock went back, the last one that was charged. Returns the second and the entry's number.
local function charge(w, requests, tokens)
  w.requests, w.tokens = w.requests + requests, w.tokens + tokens
  if w.last and w.last >= second then
    w.lastRequests, w.lastTokens = w.lastRequests + requests, w.lastTokens + tokens
    redis.call('LSET', w.key, 0, header(w))
    return w.last, w.number
  end
  local before = w.last and struct.pack(ENTRY, w.last, w.lastRequests, w.lastTokens)
  w.last, w.lastRequests, w.lastTokens = second, requests, tokens
  if before then
    w.number = w.number + 1
    redis.call('LSET', w.key, 0, header(w))
    redis.call('RPUSH', w.key, before)
  else
    redis.call('RPUSH', w.key, header(w))
  end
  redis.call('EXPIRE', w.key, w.length + SLACK_S)
  return second, w.number
end

-- Changes an entry that was charged, where it still stands.
local function correct(key, at, number, requests, tokens)
  local w = { key = key }
  if not unpackHeader(w, read('LINDEX', key, 0)) then return end
  if number == w.number and at == w.last then
    requests, tokens = math.max(requests, 0 - w.lastRequests), math.max(tokens, 0 - w.lastTokens)
    w.lastRequests, w.lastTokens = w.lastRequests + requests, w.lastTokens + tokens
  else
    local index = number - w.gone + 1
    if index < 1 or number >= w.number then return end
    local found, itsRequests, itsTokens = unpackEntry(redis.call('LINDEX', key, index))
    if found ~= at then return end
    requests, tokens = math.max(requests, 0 - itsRequests), math.max(tokens, 0 - itsTokens)
    redis.call('LSET', key, index, struct.pack(ENTRY, at, itsRequests + requests, itsTokens + tokens))
  end
  w.requests, w.tokens = math.max(0, w.requests + requests), math.max(0, w.tokens + tokens)
  redis.call('LSET', key, 0, header(w))
end
`;
