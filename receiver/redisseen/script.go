package redisseen

import "github.com/redis/rueidis"

// The value of an event's key is a claim, which is "?" and its token, or "=",
// which is committed, and the other key of the event, if it has two.
var (
	// scriptClaim claims all keys or none. It may be repeated: the same token
	// has the claim already. It returns 0 for claimed, 1 for busy, or 2 and for
	// how long a key is still committed.
	scriptClaim = rueidis.NewLuaScript(`
local busy = false
for _, k in ipairs(KEYS) do
	local v = redis.call('GET', k)
	if v then
		if string.byte(v) == 61 then return {2, redis.call('PTTL', k)} end
		if v ~= ARGV[1] then busy = true end
	end
end
if busy then return {1, 0} end
for _, k in ipairs(KEYS) do redis.call('SET', k, ARGV[1], 'PX', ARGV[2]) end
return {0, 0}`)

	// scriptCommit commits the keys of a claim, unless somebody else has one of
	// them by now. It returns 0 for committed, 1 for claimed and 2 for
	// committed by somebody else.
	scriptCommit = rueidis.NewLuaScript(`
for _, k in ipairs(KEYS) do
	local v = redis.call('GET', k)
	if v and v ~= ARGV[1] then
		if string.byte(v) == 61 then return 2 end
		return 1
	end
end
for i, k in ipairs(KEYS) do redis.call('SET', k, ARGV[i + 2], 'PX', ARGV[2]) end
return 0`)

	// scriptRelease frees the keys of a claim.
	scriptRelease = rueidis.NewLuaScript(`
for _, k in ipairs(KEYS) do
	if redis.call('GET', k) == ARGV[1] then redis.call('DEL', k) end
end
return 0`)

	// scriptRenew gives the claims of the keys, whose tokens follow the time,
	// another while.
	scriptRenew = rueidis.NewLuaScript(`
for i, k in ipairs(KEYS) do
	if redis.call('GET', k) == ARGV[i + 1] then redis.call('PEXPIRE', k, ARGV[1]) end
end
return 0`)

	// scriptRetell sets the keys to what they should be, where nobody else has
	// them: with each come the token of its claim, its value, which is empty for
	// a key that was released, and for how long.
	scriptRetell = rueidis.NewLuaScript(`
for i, k in ipairs(KEYS) do
	local v, value = redis.call('GET', k), ARGV[3 * i - 1]
	if value == '' then
		if v == ARGV[3 * i - 2] then redis.call('DEL', k) end
	elseif not v or v == ARGV[3 * i - 2] then
		redis.call('SET', k, value, 'PX', ARGV[3 * i])
	end
end
return 0`)

	// scriptForget frees the keys of a committed event, all but the last of
	// KEYS, and tells the others in the stream that is the last.
	scriptForget = rueidis.NewLuaScript(`
local gone = 0
for i = 1, #KEYS - 1 do
	local v = redis.call('GET', KEYS[i])
	if v and string.byte(v) == 61 then
		redis.call('DEL', KEYS[i])
		redis.call('XADD', KEYS[#KEYS], 'MAXLEN', '~', 10000, '*', 'k', ARGV[i + 1])
		gone = gone + 1
	end
end
if gone > 0 then redis.call('PEXPIRE', KEYS[#KEYS], ARGV[1]) end
return gone`)

	// scriptTake is the generic cell rate algorithm for several buckets at
	// once. A bucket is the time at which it is full again, in microseconds
	// since 2026, which a number of Lua counts exactly enough, and the interval
	// and burst that it was counted with. With each key come the interval, in
	// microseconds, and the burst. What is less than a nanosecond away counts
	// as there. A bucket that is to be full later than an empty one would be has
	// been written under a clock that was ahead, as of a server whose place this
	// one has taken: it is written anew as an empty one.
	scriptTake = rueidis.NewLuaScript(`
local t = redis.call('TIME')
local now = (tonumber(t[1]) - 1767225600) * 1000000 + tonumber(t[2])
local taken, tokens = 1, {}
for i, k in ipairs(KEYS) do
	local every, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
	local have = burst
	local v = redis.call('GET', k)
	if v then
		local full, interval, most = string.match(v, '^(%S+) (%S+) (%S+)$')
		local left, longest = math.max(0, tonumber(full) - now), tonumber(most) * tonumber(interval)
		if left > longest + 1000 then
			left = longest
			redis.call('SET', k, string.format('%.17g %s %s', now + left, interval, most), 'PX', string.format('%.0f', math.ceil(left / 1000) + 1))
		end
		have = math.min(burst, tonumber(most) - left / tonumber(interval))
	end
	tokens[i] = have
	if (1 - have) * every >= 0.001 then taken = 0 end
end
local out = {taken}
for i, k in ipairs(KEYS) do
	if taken == 1 then
		local every, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
		local life = (burst - tokens[i] + 1) * every
		redis.call('SET', k, string.format('%.17g %.17g %.17g', now + life, every, burst), 'PX', string.format('%.0f', math.ceil(life / 1000) + 1))
	end
	out[i + 1] = string.format('%.17g', tokens[i])
end
return out`)
)
