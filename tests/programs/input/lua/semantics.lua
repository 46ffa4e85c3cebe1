-- The parts of Lua that leave calls early: errors, yields, and closing of variables on the way out.
print("pcall", pcall(error, "message"))
print("index", pcall(function() local none; return none.field end))
print("in C", pcall(string.rep))
print("xpcall", xpcall(function() error("deep") end, function(m) return "handled: " .. m end))
print("nested", pcall(pcall, error))

local generator = coroutine.wrap(function(x)
  for i = 1, 3 do x = coroutine.yield(x * i) end
  return "finished"
end)
print("coroutine", generator(1), generator(10), generator(100), generator(0))

local co = coroutine.create(function() error("inside") end)
print("error in coroutine", coroutine.resume(co))
print("status", coroutine.status(co))
print("yield across pcall", coroutine.wrap(function()
  return pcall(function() return coroutine.yield("out") end)
end)())

do
  local closing = setmetatable({}, { __close = function(_, e) print("closed with", e) end })
  print("close", pcall(function()
    local variable <close> = closing
    error("leaving")
  end))
end

local function endless() return 1 + endless() end
print("stack overflow", (select(2, pcall(endless)):match("stack overflow")))

local caught = 0
for i = 1, 20000 do
  local ok = pcall(table.sort, { 3, 1, 2 }, function() error(i) end)
  if not ok then caught = caught + 1 end
end
print("errors out of table.sort", caught)

local before = collectgarbage("count")
for i = 1, 100 do pcall(function() local t = {}; for j = 1, 1000 do t[j] = { j } end error(t) end) end
collectgarbage()
print("garbage is collected", collectgarbage("count") < before + 100)
error("uncaught, so exit code 1")
