import { defineScript } from '@deja/redis';
import { CONFIGURED } from './configured-lua.ts';
import { FOUND } from './found-lua.ts';
import { TOLD } from './told-lua.ts';

/** The clock is Redis's own, so that replicas need not agree on time; a test may give another, in Unix ms. */
const CLOCK = `
local now = tonumber(ARGV[1])
if not now then
  local clock = redis.call('TIME')
  now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
end
`;

/**
 * What was learned of one credential with one model, JSON: { n calls and k tokens charged so far, x 429s, b not before then (ms), r and t told
 * quotas of requests and tokens, g what was found out by 429s, known: when it was last announced to all gateways }
 */
const STATE = `
local STATE_LIFE = 8 * 86400000
local function load(key)
  local text = redis.call('GET', key)
  return text and cjson.decode(text) or { n = 0, k = 0, x = 0 }
end
local function save(key, state) redis.call('SET', key, cjson.encode(state), 'PX', STATE_LIFE) end
`;

const LUA = `${CLOCK}${STATE}${CONFIGURED}${TOLD}${FOUND}`;

/**
 * Charges the first credential that has room, or none.
 * KEYS, for each: learned state, log, then counters if it has any limit of requests or tokens, then its calls in flight if it has one of concurrency.
 * ARGV: now or '', tokens, id of the call, lease of a call in flight (ms), then for each: requests and tokens a minute, requests and tokens a
 * day, concurrency (-1: none).
 * Returns {1, index from 1, ms, calls and tokens charged so far} or {0, shortest wait in ms (-1: never fits)}.
 */
export const TAKE = defineScript(`${LUA}
local tokens, id, lease = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

local function learnedWait(c)
  local state = c.state
  local wait, changed = 0, false
  if state.b and state.b > now then wait = state.b - now end
  wait = math.max(wait, toldWait(state.r, 1), toldWait(state.t, tokens))
  local g = state.g
  if g and now - g.z > foundLife(g) then state.g, g = nil, nil end
  if g and wait == 0 then wait, changed = foundWait(g, c.log) end
  if wait > 0 and changed then save(c.learned, state) end
  return wait
end

local function charge(c)
  local state = c.state
  state.n, state.k = state.n + 1, state.k + tokens
  toldCharge(state.r, 1)
  toldCharge(state.t, tokens)
  if state.g then foundCharge(state.g, c.log, id) end
  if state.known then save(c.learned, state) end -- of a credential that is only configured nobody needs to know
  configuredCharge(c, tokens, id, lease)
end

local shortest
local key = 0
local function nextKey() key = key + 1 return KEYS[key] end
for index = 1, (#ARGV - 4) / 5 do
  local c = { learned = nextKey(), log = nextKey(), limits = {} }
  for i = 1, 5 do c.limits[i] = tonumber(ARGV[4 + 5 * (index - 1) + i]) end
  if math.max(c.limits[1], c.limits[2], c.limits[3], c.limits[4]) >= 0 then c.counters = nextKey() end
  if c.limits[5] >= 0 then c.flight = nextKey() end
  local wait = configuredWait(c, tokens)
  if wait >= 0 then
    c.state = load(c.learned)
    wait = math.max(wait, learnedWait(c))
    if wait == 0 then
      charge(c)
      return { 1, index, now, c.state.n, c.state.k }
    end
    shortest = math.min(shortest or wait, wait)
  end
end
return { 0, shortest and math.ceil(shortest) or -1 }`);

/**
 * Ends a call: what it took is corrected, and what its reply says is learned. May be lost: what is in flight has a lease, and windows pass.
 * KEYS: learned state, log, announcements, then counters and calls in flight if the call was charged there.
 * ARGV: now or '', id, when it was charged (ms; -1: it was not, and the two counters mean nothing), calls and tokens charged until then, its tokens as
 * charged, tokens to add to that, 1 if it has counters, 1 if it is in flight, outcome ('answered', 'limited', 'unsent', 'other'), wait said with
 * a 429 (-1: none), age of the reply's head (ms), then said limit, remaining and reset of requests and of tokens (-1: not said), name to announce.
 */
export const END = defineScript(`${LUA}
local learned, log, announcements = KEYS[1], KEYS[2], KEYS[3]
local id, charged, n, k = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local tokens, change, outcome = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[10]
local said, at = tonumber(ARGV[11]), now - tonumber(ARGV[12])
local requestsSaid, tokensSaid = {}, {}
for i = 1, 3 do
  requestsSaid[i] = tonumber(ARGV[12 + i])
  tokensSaid[i] = tonumber(ARGV[15 + i])
end
if charged < 0 then charged, n, k = nil, nil, nil end
local unsent, limited = outcome == 'unsent', outcome == 'limited'

local key = 3
if ARGV[8] == '1' then
  key = key + 1
  if unsent or change ~= 0 then configuredCorrect(KEYS[key], charged, unsent and -1 or 0, unsent and 0 - tokens or change) end
end
if ARGV[9] == '1' then redis.call('ZREM', KEYS[key + 1], id) end

local state = load(learned)
local told = requestsSaid[2] >= 0 or tokensSaid[2] >= 0
local broken = outcome == 'answered' and state.g and state.g.i > 0 and (charged or 0) > state.g.e
if not (told or limited or broken or unsent and charged) then return 0 end
if unsent then -- it never was: nobody else's count includes it
  state.n, state.k = state.n - 1, state.k - tokens
  toldCharge(state.r, -1)
  toldCharge(state.t, -tokens)
  if state.g then
    redis.call('ZREM', log, id)
    if state.g.L then state.g.L = state.g.L + 1 end
  end
  save(learned, state)
  return 0
end

-- Whether headers say, of this reply or of those before, what this 429 is about.
local function explained()
  if requestsSaid[2] == 0 then return true end
  if tokensSaid[2] >= 0 then return tokensSaid[2] < math.max(3 * tokens, tokensSaid[1] / 20) end
  local q = state.r
  if requestsSaid[2] >= 0 or not q or not q.f or q.f > math.max(2, (q.l or 0) / 20) then return false end
  q.f = math.min(q.f, 0)
  return true
end

state.r = toldObserve(state.r, requestsSaid, n, state.n, at, true)
state.t = toldObserve(state.t, tokensSaid, k, state.k, at, false)
if broken then state.g.i = 0 end
if limited then
  if charged then state.x = state.x + 1 end
  redis.call('ZREM', log, id)
  if explained() then
    state.b = math.max(state.b or 0, at + (said >= 0 and said or 1000))
    if state.r then state.r.v = now + 60000 end
  else
    state.g = foundRefused(state.g, log, charged, at, said, state.n - state.x)
    state.b = math.max(state.b or 0, state.g.z)
  end
end
if not state.known or now - state.known > 600000 then
  state.known = now
  redis.call('ZADD', announcements, now, ARGV[19])
end
save(learned, state)
return 1`);

/** Renews the leases of calls in flight. KEYS: one credential's calls in flight. ARGV: now or '', lease (ms), ids. */
export const RENEW = defineScript(`${CLOCK}
local lease = tonumber(ARGV[2])
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now + lease, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], 2 * lease)
return 1`);

/** Names of the credentials whose quotas were heard of within the last hour. KEYS: announcements. ARGV: now or ''. */
export const KNOWN = defineScript(`${CLOCK}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3600000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '+inf')`);
