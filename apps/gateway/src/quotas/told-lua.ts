/**
 * Lua: quotas that a provider tells in headers, one a kind (`r` requests, `t` tokens) in the learned state. Needs `now` (ms).
 * { l limit, f what is left (may be below 0), s when it is whole again, guess: s was not said,
 *   y from -3 (whole at once: a fixed window) to 3 (little by little: a token bucket), w milliseconds from empty to whole, u when f was true,
 *   v until when one is kept in reserve, because somebody else takes from it too,
 *   d, dn how much less than f the last replies said at least, and how many did,
 *   c the counter of the call whose reply was last believed, o the reply that the next one is compared with { at, missing, reset } }
 *
 * A reply knows of the calls before it, not of those after: what is left is what it says less what was charged since its call was.
 * But calls overtake each other, and one that was overtaken knows of some that were charged after it. Within a window, where nothing comes
 * back that was taken off wrongly, less than was known is therefore believed only when several replies in a row say so, each of a later
 * call, as when somebody else takes from the quota too.
 * Which of the two styles it is shows in two replies: either the time of the reset stands still while the quota shrinks, or what
 * remains of the wait is in proportion to what is missing. Until that is known nothing is believed to come back before the reset.
 */
export const TOLD = `
local UNTOLD_WINDOW = 60000
local BUCKET, WINDOW = 2, -2
local IN_A_ROW = 3

local function toldRefill(q)
  if q.y >= BUCKET and q.w and q.l then
    if now > q.u then
      q.f = math.min(q.l, q.f + (now - q.u) * q.l / q.w)
      q.u = now
    end
  elseif now >= q.s then
    q.f, q.u, q.guess, q.d, q.dn = q.l, now, 1, nil, nil
    q.s = now + (q.w or UNTOLD_WINDOW)
  end
end

-- A call that needs more than the whole quota is let through when it is whole: what a call takes is an estimate.
local function toldWait(q, need)
  if not q then return 0 end
  toldRefill(q)
  if q.v and q.v > now and need == 1 and q.y >= BUCKET then need = 2 end
  if not q.f or q.f >= need or (q.l and q.f >= q.l) then return 0 end
  if q.y >= BUCKET and q.w and q.l then return math.max(1, (math.min(need, q.l) - q.f) * q.w / q.l) end
  return math.max(1, q.s - now)
end

local function toldCharge(q, need)
  if q and q.f then q.f = q.f - need end
end

-- How exactly a reset can be told: many are in whole seconds.
local function grain(reset) return reset % 1000 == 0 and 1500 or 300 end

local function toldStyle(q, at, missing, reset)
  local o = q.o
  local new = { at = at, missing = missing, reset = reset }
  if not o or o.missing <= 0 or at >= o.at + o.reset then q.o = new return end
  if at <= o.at then return end
  local asWindow = math.abs(at + reset - o.at - o.reset)
  local asBucket = math.abs(reset - missing * o.reset / o.missing)
  if math.abs(asWindow - asBucket) <= grain(reset) then return end
  q.o = new
  if asBucket < asWindow then q.y = math.min(3, q.y + 1)
  elseif asWindow <= grain(reset) then q.y = math.max(-3, q.y - 1) end
end

-- The reply of a later call than before, within the window that f is about. More than f only means that it overtook others.
local function toldWithinWindow(q, remaining, left)
  q.f = math.min(q.f, remaining) -- this is certain
  if left >= q.f then q.d, q.dn = nil, nil return end
  q.d, q.dn = math.min(q.d or q.f - left, q.f - left), (q.dn or 0) + 1
  if q.dn >= IN_A_ROW then q.f, q.d, q.dn = q.f - q.d, nil, nil end
end

-- said: { limit, remaining, reset }, -1 where it was not said. seq: the counter when its call was charged, nil for one that was not.
-- charged: the counter now. at: when the reply came.
local function toldObserve(q, said, seq, charged, at, once)
  local limit, remaining, reset = said[1], said[2], said[3]
  if remaining < 0 then return q end
  if limit < 0 then limit = nil end
  if not q or (q.l ~= limit and limit) then q = { l = limit, y = 0, s = 0, u = at, c = -1, guess = 1 } end
  local left = remaining - (seq and math.max(0, charged - seq) or 0)
  local s = at + reset
  if seq and seq <= q.c or not seq and q.f then -- older than what is believed, or of a call that was not counted: good for bad news only
    local isWindow = q.y <= WINDOW and reset >= 0
    if not q.f or isWindow and s < q.s - (q.guess and (q.w or 0) / 2 or grain(reset)) then return q end -- of a window that is over
    q.f = math.min(q.f, isWindow and once and remaining or left)
    return q
  end
  if seq then q.c = seq end
  if limit and reset >= 0 then toldStyle(q, at, limit - remaining, reset) end
  if q.y >= BUCKET then
    -- A short wait is told too roughly to derive the whole from.
    if limit and remaining < limit and (not q.w or not q.wr or reset * 2 >= q.wr) and reset > 0 then q.w, q.wr = limit * reset / (limit - remaining), reset end
    q.f, q.u = left, at
    return q
  end
  if reset < 0 then
    q.f = left
    if q.s <= now then q.s, q.guess = now + (q.w or UNTOLD_WINDOW), 1 end
    return q
  end
  q.w = math.max(q.w or 0, reset)
  local before = not q.guess and q.y <= WINDOW and s < q.s - grain(reset)
  if s <= now or before then return q end -- of a window that is over
  local same = not q.guess and math.abs(s - q.s) <= grain(reset)
  if same then s = math.min(s, q.s) end
  if same and once and q.y <= WINDOW and q.f then toldWithinWindow(q, remaining, left)
  else q.f, q.d, q.dn = left, nil, nil end
  q.s, q.u, q.guess = s, at, nil
  return q
end
`;
