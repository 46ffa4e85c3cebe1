-- What scripts do: tables as records and as arrays, strings, closures, method calls, numbers.
local function primes(limit)
  local composite, found = {}, 0
  for i = 2, limit do
    if not composite[i] then
      found = found + 1
      for j = i * i, limit, i do composite[j] = true end
    end
  end
  return found
end

local Account = {}
Account.__index = Account

function Account.new(balance) return setmetatable({ balance = balance, entries = 0 }, Account) end

function Account:deposit(amount)
  self.balance = self.balance + amount
  self.entries = self.entries + 1
end

local function accounts(count)
  local all = {}
  for i = 1, 100 do all[i] = Account.new(i) end
  for i = 1, count do all[i % 100 + 1]:deposit(i % 7) end
  local sum = 0
  for _, account in ipairs(all) do sum = sum + account.balance end
  return sum
end

local function words(rounds)
  local counts, text = {}, "the quick brown fox jumps over the lazy dog while the cat sleeps"
  for round = 1, rounds do
    for word in text:gmatch("%a+") do
      local key = word:sub(1, 2) .. round % 10
      counts[key] = (counts[key] or 0) + 1
    end
  end
  local keys = {}
  for key in pairs(counts) do keys[#keys + 1] = key end
  table.sort(keys)
  local lines = {}
  for i, key in ipairs(keys) do lines[i] = ("%s=%d"):format(key, counts[key]) end
  return #table.concat(lines, ",")
end

local function fold(limit)
  local function compose(f, g) return function(x) return f(g(x)) end end
  local step = compose(function(x) return x * 3 % 1000003 end, function(x) return x + 1 end)
  local value = 1
  for _ = 1, limit do value = step(value) end
  return value
end

local function fibonacci(n) return n < 2 and n or fibonacci(n - 1) + fibonacci(n - 2) end

print("primes", primes(400000))
print("accounts", accounts(1000000))
print("words", words(6000))
print("fold", fold(600000))
print("fibonacci", fibonacci(27))
