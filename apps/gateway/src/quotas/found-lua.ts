/**
 * Lua: quotas found out by running into 429s that no header explains. Needs `now` (ms) and `log`, a sorted set of the calls that were
 * charged since the first of them, by time. In the learned state:
 * { z when the last wait was over, began and e when the last episode began and was heard of (429s of calls charged before belong to it),
 *   i episodes in a row without a success, silent: waits are not told, and are long, y nil while nothing is known, 'w' window, 'b' bucket,
 *   window: N calls in W ms (counted since `from`), step and p: how much more is tried, and when,
 *   bucket: r calls a ms, C the most at once, L the level at u, full: it has been whole since, up and p: as for a window,
 *   at, an: when the provider had nothing left, and how many calls it had taken by then,
 *   base, D, A, m: that count, the time and the calls since, and the rate, of the last measure, least: the rate is no less }
 *
 * After the first 429 calls are let through in growing number until the second: how many there were, and how much later the provider
 * is ready again, are limit and window. A wait that is long against the calls' spacing means that all comes back at once. Then the last N
 * calls must be more than W apart, wherever the provider's windows begin. Where the wait is about one call's, or is not told, calls are paced by
 * the rate between two 429s, rounded up a little so that a third follows: each multiplies the precision, and where none comes the rate grows.
 */
export const FOUND = `
local UNSAID_WAIT, LONGEST_WAIT, RAMP, FORGET, MEASURED, LEAST_TRIAL, LEAST_BURST = 1000, 60000, 250, 3600000, 600000, 1000, 2
local STANDARD = { 1000, 10000, 60000, 3600000, 86400000 }

local function reach(g) return g.W * 1.01 + 50 end -- calls that left a window apart may arrive nearer to each other

local function foundLife(g) return math.max(FORGET, 3 * (g.W or 0)) end

-- Returns the wait and whether the state changed.
local function foundWait(g, log)
  if g.y == 'w' then
    local from = now - reach(g)
    local count = redis.call('ZCOUNT', log, '(' .. from, '+inf')
    local changed = false
    if count >= g.N and now >= g.p then -- perhaps there is more by now
      g.N = g.N + g.step
      g.step = math.min(2 * g.step, math.max(1, math.floor(g.N / 8)))
      g.p = now + g.W
      changed = true
    end
    if count < g.N then return 0, changed end
    local blocking = redis.call('ZRANGEBYSCORE', log, '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', count - g.N, 1)
    return math.max(1, tonumber(blocking[2]) - from), changed
  end
  if g.y == 'b' then
    if now > g.u then g.L, g.u = math.min(g.C, g.L + (now - g.u) * g.r), now end
    if g.L >= g.C then g.full = 1 end
    if g.L >= 1 then return 0, true end
    return math.max(1, (1 - g.L) / g.r), false
  end
  local count = redis.call('ZCOUNT', log, g.z, '+inf')
  local allowed = 1 + math.floor(((now - g.z) / RAMP) ^ 2)
  if count < allowed then return 0, false end
  return math.max(1, RAMP * math.sqrt(count) - (now - g.z)), false
end

local function foundCharge(g, log, id)
  redis.call('ZADD', log, now, id)
  redis.call('ZREMRANGEBYSCORE', log, '-inf', now - (g.W and 2 * reach(g) or FORGET / 6))
  redis.call('PEXPIRE', log, foundLife(g))
  if g.y ~= 'b' then return end
  g.L = g.L - 1
  if now >= g.p and g.L < 1 then -- perhaps there is more by now; from here on it may have filled up, and its level is not known
    g.up = math.min(0.5, math.max(0.03, 1 / ((g.A or 0) + 2), 2 * (g.up or 0)))
    g.r, g.at = g.r * (1 + g.up), nil
    g.p = now + math.max(LEAST_TRIAL, math.min(LONGEST_WAIT, ((g.A or 0) + 1) / g.r))
  end
end

-- Without a word on how long, and nothing at all for a while: what is limited is a minute, as nearly everywhere.
local function foundSilent(g, at, log)
  g.silent = 1
  if g.i > 0 then -- nothing has come through since; the next try waits longer
    if g.y == 'b' then g.y = nil end
    return
  end
  g.y, g.W, g.from = 'w', 60000, at - 60000
  g.N = math.max(1, redis.call('ZCOUNT', log, g.from, '+inf'))
  g.step, g.p = 1, now + 10 * g.W
end

local function foundWindow(g, z, said, log)
  local rough = said % 1000 == 0 and 1100 or 50
  local span = z - g.z
  if g.y ~= 'w' or span < g.W * 0.95 then
    for _, usual in ipairs(STANDARD) do
      if math.abs(span - usual) <= math.max(rough, usual * 0.03) then span = usual break end
    end
    g.W, g.from = span, g.z - rough
  else
    g.from = z - g.W - rough
  end
  g.y = 'w'
  g.N = math.max(1, redis.call('ZCOUNT', log, g.from, '+inf'))
  g.step, g.p = 1, now + 10 * g.W
end

-- Between two moments at which nothing was left, as many calls were taken as came back; half a call more, because what was left was less than one.
local function foundRate(g, taken)
  g.A = math.max(0, taken - g.base)
  g.m = (g.A + 0.5) / g.D
  g.r = math.max(g.m, g.least or 0)
end

local function foundBucket(g, at, taken)
  if g.y ~= 'b' then g.y, g.full = 'b', nil end
  local burst = g.r and g.full and g.C > LEAST_BURST
  if burst then g.C = math.max(LEAST_BURST, g.C / 2) end -- it holds less than was guessed; of the rate this says nothing
  if not g.r or g.at and not burst then
    g.base, g.D = g.an, math.max(100, at - g.at)
    g.least = g.full and 0.7 * g.r or nil -- what came back while it was whole was lost
    foundRate(g, taken)
    if g.D > MEASURED then g.at = nil end
  else
    if not g.at then g.r = math.sqrt(g.r * g.m) end -- grown too much
    g.D, g.at = nil, nil
  end
  if not g.at then g.at, g.an = at, taken end
  g.full = nil
  g.C = g.C or math.max(LEAST_BURST, g.r * 10000)
  g.L, g.u, g.up = 0, at, nil
  local trust = (g.A or 0) < 20 and 3 or 12 -- a rough measure is doubted sooner
  g.p = now + math.min(MEASURED, math.max(LEAST_TRIAL, trust * (g.D or 20 / g.r)))
end

-- A 429 that came at \`at\`, of a call charged at \`charged\` (nil: was not) and already out of the log. taken: calls charged less 429s, this one included.
local function foundRefused(g, log, charged, at, said, taken)
  local wait = said >= 0 and said or nil
  if not g then
    return { z = at + (wait or UNSAID_WAIT), e = now, i = 1, began = at, at = at, an = taken }
  end
  if not charged and at <= g.z or charged and charged <= g.e then
    g.z = math.max(g.z, at + (wait or 0))
    if g.y == 'w' and g.from then g.N = math.max(1, math.min(g.N, redis.call('ZCOUNT', log, g.from, '+inf'))) end
    if g.y == 'b' and g.D then foundRate(g, taken) end
    if charged and g.at and g.at >= g.began then g.an = g.an - 1 end
    return g
  end
  local spacing = g.r and not g.silent and math.max(250, 1 / g.r) or UNSAID_WAIT
  local z = at + (wait or math.min(LONGEST_WAIT, spacing * 2 ^ math.min(g.i, 10)))
  local admitted = redis.call('ZCOUNT', log, g.z, '+inf')
  local span = math.max(1, z - g.z)
  g.began = at
  if not wait and (g.silent or g.i >= 3) then foundSilent(g, at, log)
  elseif wait and (g.y == 'w' and span >= g.W / 2 or admitted >= 3 and wait * admitted / span > 3) then foundWindow(g, z, wait, log)
  else foundBucket(g, at, taken) end
  g.z, g.e, g.i = z, now, g.i + 1
  return g
end
`;
