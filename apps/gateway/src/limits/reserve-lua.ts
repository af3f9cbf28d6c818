import { defineScript } from '@deja/redis';
import { ACCOUNT, TOTAL_S } from './account-lua.ts';
import { LAPSES, RECORD, RECORDS } from './lease-lua.ts';
import { KEPT_S, READ, TIME } from './state-lua.ts';
import { CHARGE, HEAD, KEEP, WAIT, WINDOW } from './window-lua.ts';

/**
 * All ceilings and budgets of one or more shards, decided together: charged everywhere or nowhere.
 * KEYS: windows, counters of calls under way, and accounts, each of all shards; then for each shard its leases and what they hold.
 * ARGV: now or '', operation, lease (ms), tokens, kept tokens, nano-USD, kept nano-USD, then the limits, a JSON array of numbers: how many windows, counters, accounts
 * and shards; for each window its length (s) and limits of requests and tokens (-1: none); for each counter its limit; for each account its limit (-1 for
 * none that refuses) and the end of its period (Unix ms; 0: none); for each shard 1 if the operation holds something there, and how many windows, counters and
 * accounts are its own.
 * Returns { 1 admitted | 0 refused | -1 accounts are not known, now, the wait until it fits (ms, -1: never), what refused ('requests', 'tokens',
 * 'concurrency', 'budget'), index of the window, counter or account from 0 }, then for each window its requests, tokens, last second that was
 * charged (0: none) and that entry's number; for each counter the calls under way; for each account spent ('' where not known) and held before.
 * A refusal is by what takes longest until it fits.
 */
export const RESERVE = defineScript(`${READ}${TIME}${WINDOW}${KEEP}${CHARGE}${ACCOUNT}
local call, now = redis.call, time()
local second = math.floor(now / 1000)
local operation, lease, tokens, keptTokens, nanoUsd, keptNanoUsd, limits = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7], cjson.decode(ARGV[8])
local windowCount, counterCount, accountCount, shardCount = limits[1], limits[2], limits[3], limits[4]
local headCount = windowCount + counterCount
local keyCount = headCount + accountCount

local isNew = {} -- shards whose keys may have to be made
local shardsAt = 4 + 3 * windowCount + counterCount + 2 * accountCount
for i = 1, shardCount do
  if limits[shardsAt + 4 * i - 3] == 1 then
    local leases, held = KEYS[keyCount + 2 * i - 1], KEYS[keyCount + 2 * i]
    local first = read('ZRANGE', leases, '0', '0', 'WITHSCORES')
    local before = read('HGET', held, operation)
    isNew[i] = not first[1]
    if before or first[1] and tonumber(first[2]) <= now then
      ${RECORDS}${LAPSES}
      sweep(leases, held, now)
      if before then -- it asks again, not knowing how the first time went
        local record = recordOf(held, operation)
        forget(leases, held, operation)
        if record then pcall(undo, record) end
      end
      isNew[i] = true
    end
  end
end

local stands = headCount > 0 and call('MGET', unpack(KEYS, 1, headCount)) or {}
local windows, counts, accounts, at = {}, {}, {}, 4
for i = 1, windowCount do
  windows[i] = window(KEYS[i], limits[at + 1], second, stands[i])
  at = at + 3
end
for i = 1, counterCount do counts[i] = math.max(0, math.floor(tonumber(stands[windowCount + i]) or 0)) end
for i = 1, accountCount do accounts[2 * i - 1], accounts[2 * i] = account(KEYS[headCount + i]) end

local wait, refusedBy, index, known, fits, amount = 0, '', 0, true, true, tonumber(nanoUsd)
at = 4
for i = 1, windowCount do
  local w, requestsLimit, tokensLimit = windows[i], limits[at + 2], limits[at + 3]
  if requestsLimit >= 0 and w[${HEAD.requests}] + 1 > requestsLimit or tokensLimit >= 0 and w[${HEAD.tokens}] + tokens > tokensLimit then fits = false end
  at = at + 3
end
for i = 1, counterCount do
  if counts[i] >= limits[at + i] then fits = false end
end
at = at + counterCount
for i = 1, accountCount do
  local spent, limit = accounts[2 * i - 1], limits[at + 2 * i - 1]
  if not spent then known = false
  elseif limit >= 0 then
    local total = tonumber(spent) + tonumber(accounts[2 * i])
    if total >= limit or total + amount > limit then fits = false end
  end
end
if not fits then
  ${WAIT}
  local function consider(itsWait, kind, i)
    if itsWait == 0 or wait < 0 or (itsWait > 0 and itsWait <= wait) then return end
    wait, refusedBy, index = itsWait, kind, i - 1
  end
  at = 4
  for i = 1, windowCount do
    local w, length, requestsLimit, tokensLimit = windows[i], limits[at + 1], limits[at + 2], limits[at + 3]
    consider(windowWait(w, KEYS[i], length, now, ${HEAD.requests}, 1, requestsLimit), 'requests', i)
    consider(windowWait(w, KEYS[i], length, now, ${HEAD.tokens}, tokens, tokensLimit), 'tokens', i)
    at = at + 3
  end
  for i = 1, counterCount do
    local limit = limits[at + i]
    if counts[i] >= limit then consider(limit == 0 and -1 or 1000, 'concurrency', i) end
  end
  at = at + counterCount
  for i = 1, accountCount do
    local spent, limit, toMs = accounts[2 * i - 1], limits[at + 2 * i - 1], limits[at + 2 * i]
    if spent and limit >= 0 then
      local total = tonumber(spent) + tonumber(accounts[2 * i])
      if total >= limit or total + amount > limit then
        consider((toMs == 0 or amount > limit) and -1 or math.max(1, toMs - now), 'budget', i)
      end
    end
  end
end

local status = wait ~= 0 and 0 or known and 1 or -1
if status == 1 then
  at = 4
  for i = 1, windowCount do
    charge(windows[i], KEYS[i], limits[at + 1], second, 1, limits[at + 3] >= 0 and tokens or 0)
    at = at + 3
  end
  for i = 1, counterCount do
    local count = counts[i] + 1
    counts[i] = count
    if count > 1 then call('SET', KEYS[windowCount + i], string.format('%d', count), 'KEEPTTL') else call('SET', KEYS[windowCount + i], '1', 'EX', ${KEPT_S}) end
  end
  at = at + counterCount
  for i = 1, accountCount do
    local key = KEYS[headCount + i]
    if nanoUsd ~= '0' then call('HINCRBY', key, 'held', nanoUsd) end
    if limits[at + 2 * i] == 0 then call('EXPIRE', key, ${TOTAL_S}) end -- of the others it was said when they were made
  end
  local firstWindow, firstCounter, firstAccount = 0, 0, 0
  for i = 1, shardCount do
    local own = shardsAt + 4 * i - 3
    local windowsHere, countersHere, accountsHere = limits[own + 1], limits[own + 2], limits[own + 3]
    if limits[own] == 1 then
      local leases, held = KEYS[keyCount + 2 * i - 1], KEYS[keyCount + 2 * i]
      local record, counted = { tokens, keptTokens, nanoUsd, keptNanoUsd, false, 0, countersHere, accountsHere }, 0
      for j = firstWindow + 1, firstWindow + windowsHere do
        if limits[4 + 3 * j] >= 0 then
          counted = counted + 1
          record[8 + counted] = KEYS[j]
        end
      end
      record[${RECORD.windows}] = counted
      local last = 8 + counted
      for j = 1, countersHere do record[last + j] = KEYS[windowCount + firstCounter + j] end
      last = last + countersHere
      for j = 1, accountsHere do record[last + j] = KEYS[headCount + firstAccount + j] end
      last = last + accountsHere
      for j = 1, accountsHere do record[last + j] = limits[at + 2 * (firstAccount + j)] end
      last = last + accountsHere
      for j = firstWindow + 1, firstWindow + windowsHere do
        if limits[4 + 3 * j] >= 0 then
          local w = windows[j]
          record[last + 1], record[last + 2], record[last + 3], record[last + 4] = limits[2 + 3 * j], w[${HEAD.last}], w[${HEAD.number}], tokens
          last = last + 4
        end
      end
      call('ZADD', leases, now + lease, operation)
      call('HSET', held, operation, cmsgpack.pack(unpack(record)))
      if isNew[i] then
        call('EXPIRE', leases, ${KEPT_S})
        call('EXPIRE', held, ${KEPT_S})
      end
    end
    firstWindow, firstCounter, firstAccount = firstWindow + windowsHere, firstCounter + countersHere, firstAccount + accountsHere
  end
else
  for i = 1, windowCount do
    if windows[i][${HEAD.shrunk}] then keep(windows[i], KEYS[i], 'KEEPTTL') end
  end
end

local reply = { status, now, wait, refusedBy, index }
at = 5
for i = 1, windowCount do
  local w = windows[i]
  reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = w[${HEAD.requests}], w[${HEAD.tokens}], w[${HEAD.last}] or 0, w[${HEAD.number}]
  at = at + 4
end
for i = 1, counterCount do reply[at + i] = counts[i] end
at = at + counterCount
for i = 1, 2 * accountCount do reply[at + i] = accounts[i] or '' end
return reply`);
