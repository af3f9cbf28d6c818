import { defineScript } from '@deja/redis';
import { ACCOUNTS } from './account-lua.ts';
import { LEASES } from './lease-lua.ts';
import { STATE } from './state-lua.ts';
import { WINDOWS } from './window-lua.ts';

/**
 * All ceilings and budgets of one or more shards, decided together: charged everywhere or nowhere.
 * KEYS, for each shard: its leases and what they hold, then windows, counters of calls under way, and accounts.
 * ARGV: now or '', operation, lease (ms), tokens, kept tokens, nano-USD, kept nano-USD, number of shards, then for each shard: 1 if the operation
 * holds something there, numbers of windows, counters and accounts; for each window its length (s) and limits of requests and tokens (-1: none); for
 * each counter its limit; for each account its limit ('' for none that refuses) and the end of its period (Unix ms; 0: none).
 * Returns { 1 admitted | 0 refused | -1 accounts are not known, now, the wait until it fits (ms, -1: never), what refused ('requests', 'tokens',
 * 'concurrency', 'budget'), index of the window, counter or account from 0 }, then for each window its requests, tokens, last second that was
 * charged (0: none) and that entry's number; for each counter the calls under way; for each account spent ('' where not known) and held before.
 * A refusal is by what takes longest until it fits.
 */
export const RESERVE = defineScript(`${STATE}${WINDOWS}${ACCOUNTS}${LEASES}
local operation, lease, tokens, keptTokens, nanoUsd, keptNanoUsd = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local key, argument = 0, 7
local function nextKey() key = key + 1 return KEYS[key] end
local function nextText() argument = argument + 1 return ARGV[argument] end
local function nextNumber() return tonumber(nextText()) end

local shards, windows, counters, accounts = {}, {}, {}, {}
for _ = 1, nextNumber() do
  local s = { holds = nextText() == '1' }
  s.leases = nextKey()
  s.held = nextKey()
  local windowsHere, countersHere, accountsHere = nextNumber(), nextNumber(), nextNumber()
  if s.holds then
    sweep(s.leases, s.held)
    local before = recordOf(s.held, operation) -- it asks again, not knowing how the first time went
    if before then
      forget(s.leases, s.held, operation)
      pcall(undo, before)
    end
  end
  for _ = 1, windowsHere do
    local w = window(nextKey(), nextNumber())
    w.shard = s
    w.requestsLimit = nextNumber()
    w.tokensLimit = nextNumber()
    windows[#windows + 1] = w
  end
  for _ = 1, countersHere do
    local c = { shard = s, key = nextKey() }
    c.limit, c.count = nextNumber(), flights(c.key)
    counters[#counters + 1] = c
  end
  for _ = 1, accountsHere do
    local a = { shard = s, key = nextKey() }
    a.limit = nextNumber()
    a.toMs = nextNumber()
    a.spent, a.held = account(a.key)
    accounts[#accounts + 1] = a
  end
  shards[#shards + 1] = s
end

local wait, refusedBy, index = 0, '', 0
local function consider(itsWait, kind, i)
  if itsWait == 0 or wait < 0 or (itsWait > 0 and itsWait <= wait) then return end
  wait, refusedBy, index = itsWait, kind, i - 1
end
for i, w in ipairs(windows) do
  consider(windowWait(w, 'requests', 1, w.requestsLimit), 'requests', i)
  consider(windowWait(w, 'tokens', tokens, w.tokensLimit), 'tokens', i)
end
for i, c in ipairs(counters) do
  if c.count >= c.limit then consider(c.limit == 0 and -1 or 1000, 'concurrency', i) end
end
local known, amount = true, tonumber(nanoUsd)
for i, a in ipairs(accounts) do
  if not a.spent then known = false
  elseif a.limit then
    local total = tonumber(a.spent) + tonumber(a.held)
    if total >= a.limit or total + amount > a.limit then
      consider((a.toMs == 0 or amount > a.limit) and -1 or math.max(1, a.toMs - now), 'budget', i)
    end
  end
end

local status = wait ~= 0 and 0 or known and 1 or -1
if status == 1 then
  for _, s in ipairs(shards) do
    if s.holds then s.record = { windows = {}, flights = {}, accounts = {}, tokens = tokens, keptTokens = keptTokens, nanoUsd = nanoUsd, keptNanoUsd = keptNanoUsd } end
  end
  for _, w in ipairs(windows) do
    local counted = w.tokensLimit >= 0
    local at, number = charge(w, 1, counted and tokens or 0)
    w.number = number
    if counted then table.insert(w.shard.record.windows, { w.key, w.length, at, number, tokens }) end
  end
  for _, c in ipairs(counters) do
    c.count = c.count + 1
    table.insert(c.shard.record.flights, c.key)
  end
  for _, a in ipairs(accounts) do table.insert(a.shard.record.accounts, { a.key, a.toMs }) end
  for _, s in ipairs(shards) do
    if s.holds then
      take(s.record)
      remember(s.leases, s.held, operation, s.record, now + lease)
      keepLeases(s.leases, s.held)
    end
  end
end

local reply = { status, now, wait, refusedBy, index }
local function say(value) reply[#reply + 1] = value end
for _, w in ipairs(windows) do
  say(w.requests)
  say(w.tokens)
  say(w.last or 0)
  say(w.number or 0)
end
for _, c in ipairs(counters) do say(c.count) end
for _, a in ipairs(accounts) do
  say(a.spent or '')
  say(a.held)
end
return reply`);
