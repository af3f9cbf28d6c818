/**
 * Lua: what all scripts of limits begin with. ARGV[1] is the time in Unix ms or '': the clock is then Redis's own, so that replicas need not
 * agree on time. What cannot be read, because somebody else wrote it, is thrown away and begun anew: no script fails for ever.
 *
 * A script's text runs from its first line at every call, and most of that time is Lua's own, not its commands' (docs/performance.md). So these scripts make few functions and
 * tables before they need them: what is rarely needed stands inside the branch that needs it, and a function is given what it works on, because to
 * let it have a variable from outside costs more than a call. What is read together is one command, and a number that never changes is text, which Redis need not make of it.
 */
export const READ = `
local function read(command, key, ...)
  local found = redis.pcall(command, key, ...)
  if type(found) ~= 'table' or not found.err then return found end
  if not string.find(found.err, 'WRONGTYPE', 1, true) then error(found.err) end
  redis.call('DEL', key)
  return redis.call(command, key, ...)
end
`;

/** Lua: Unix ms. */
export const TIME = `
local function time()
  local told = tonumber(ARGV[1])
  if told then return told end
  local clock = redis.call('TIME')
  return clock[1] * 1000 + math.floor(clock[2] / 1000)
end
`;

/** 401 days, of leases and what they hold: longer than any account that money is held in. */
export const KEPT_S = `'34646400'`;
