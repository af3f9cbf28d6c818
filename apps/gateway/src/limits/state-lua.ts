/**
 * Lua: what all scripts of limits begin with. ARGV[1] is the time in Unix ms or '': the clock is then Redis's own, so that replicas need not
 * agree on time. What cannot be read, because somebody else wrote it, is thrown away and begun anew: no script fails for ever.
 */
export const STATE = `
local now = tonumber(ARGV[1])
if not now then
  local clock = redis.call('TIME')
  now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
end
local second = math.floor(now / 1000)
local DAY_S = 86400
local KEPT_S = 401 * DAY_S -- of leases and what they hold: longer than any account that money is held in

local function read(command, key, ...)
  local found = redis.pcall(command, key, ...)
  if type(found) ~= 'table' or not found.err then return found end
  if not string.find(found.err, 'WRONGTYPE', 1, true) then error(found.err) end
  redis.call('DEL', key)
  return redis.call(command, key, ...)
end
`;
