const PERIOD_SLACK_S = 2 * 86_400;
/** 400 days. */
export const TOTAL_S = `'34560000'`;

/**
 * Lua: money, in a hash for each budget and period: `spent` and `held`, integer nano-USD. Needs READ. Returns both, spent false where it is not known.
 * Amounts are text from end to end, because Lua's numbers are exact to 2^53 only; they are compared as numbers. An account without `spent` is
 * one that nobody has told Redis about: it must not look as if nothing had been spent.
 */
export const ACCOUNT = `
local function account(key)
  local found = read('HMGET', key, 'spent', 'held')
  local spent, held = found[1], found[2]
  if spent and not string.find(spent, '^-?%d+$') then
    redis.call('HDEL', key, 'spent')
    spent = false
  end
  if held and not string.find(held, '^-?%d+$') then
    redis.call('HDEL', key, 'held')
    held = false
  end
  return spent, held or '0'
end
`;

/** Lua. `toMs`: when the period ends, Unix ms; 0 never. Of a period it is said once, by whoever makes the account. */
export const KEEP_ACCOUNT = `
local function keepAccount(key, toMs, now)
  if toMs == 0 then redis.call('EXPIRE', key, ${TOTAL_S})
  elseif redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, math.max(60, math.ceil((toMs - now) / 1000) + ${PERIOD_SLACK_S})) end
end
`;
