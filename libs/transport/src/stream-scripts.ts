import { defineScript } from '@deja/redis';

/** Adds an event unless the backlog is full: an event is never dropped silently. KEYS: stream. ARGV: bound, message. */
export const ADD_EVENT = defineScript(`
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
return redis.call('XADD', KEYS[1], '*', 'm', ARGV[2])`);

/** An event is done: nobody gets it again, and it leaves the backlog. KEYS: stream. ARGV: group, entry. */
export const ACKNOWLEDGE = defineScript(`
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])`);

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
