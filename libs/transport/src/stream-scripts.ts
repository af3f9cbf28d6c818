import { defineScript } from '@deja/redis';

/** Adds events, as many as the backlog has room for: none is dropped silently. Answers how many of them, from the first on. KEYS: stream. ARGV: bound, messages. */
export const ADD_EVENTS = defineScript(`
local taken = math.min(#ARGV - 1, tonumber(ARGV[1]) - redis.call('XLEN', KEYS[1]))
for i = 2, taken + 1 do redis.call('XADD', KEYS[1], '*', 'm', ARGV[i]) end
return taken`);

/** Events are done: nobody gets them again, and they leave the backlog. KEYS: stream. ARGV: group, entries. */
export const ACKNOWLEDGE = defineScript(`
redis.call('XACK', KEYS[1], unpack(ARGV))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))`);

/**
 * Moves an event to the dead ones, once: two replicas that give the same event up count it once. KEYS: stream, dead
 * stream. ARGV: group, entry, bound of the dead stream, reason, deliveries.
 */
export const SET_ASIDE = defineScript(`
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if not found[1] then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], '*', 'reason', ARGV[4], 'deliveries', ARGV[5], 'entry', ARGV[2], unpack(found[1][2]))
redis.call('XDEL', KEYS[1], ARGV[2])
return 1`);

/**
 * Removes seats that hold nothing: the given one, or with '' all that were silent for so long. Redis forgets the
 * entries a removed seat holds, so looking and removing must be one step. KEYS: stream. ARGV: group, seat, idle ms.
 */
export const REMOVE_SEATS = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local removed = 0
for _, seat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local of = {}
  for i = 1, #seat, 2 do of[seat[i]] = seat[i + 1] end
  local meant = of.name == ARGV[2] or (ARGV[2] == '' and of.idle >= tonumber(ARGV[3]))
  if meant and of.pending == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], of.name)
    removed = removed + 1
  end
end
return removed`);
