// Compiles a MoonBit program to WebAssembly with garbage collection:
//
//     node scripts/moonbit.cjs PACKAGE SOURCE OUTPUT
//
// PACKAGE is the unpacked npm package @moonbit/moonpad-monaco. It holds the compiler, as the script of a web worker,
// and the sources of the standard library, as strings in the script of an editor; both are taken out of it here. Of
// the standard library, what `prelude` needs is compiled first, each package with all that it depends on.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const CORE = "moonbitlang/core/";
const TARGET = { target: "wasm-gc", errorFormat: "human", enableValueTracing: false, noOpt: false };

const [folder, source, output] = process.argv.slice(2);

/** The worker's functions, asked for by the messages that a page would send it. */
function loadCompiler() {
  const waiting = new Map();
  let receive;
  globalThis.addEventListener = (_, listener) => (receive = listener);
  globalThis.postMessage = (message) => waiting.get(message.id)(message);
  // The package says that its scripts are modules; this one is not.
  const copy = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "moonc-")), "worker.cjs");
  fs.copyFileSync(path.join(folder, "dist", "moonc-worker.js"), copy);
  require(copy);
  fs.rmSync(path.dirname(copy), { recursive: true });
  return (name, parameters) =>
    new Promise((resolve, reject) => {
      const id = String(waiting.size);
      waiting.set(id, (message) =>
        message.type === "RAW" ? resolve(message.value) : reject(new Error(JSON.stringify(message.value))),
      );
      const argumentList = [{ type: "RAW", value: parameters }];
      receive({ origin: "*", data: { id, type: "APPLY", path: [name], argumentList } });
    });
}

/** The files of the standard library, by path. */
function loadLibrary() {
  const editor = fs.readFileSync(path.join(folder, "dist", "moonpad-monaco.js"), "utf8");
  const strings = new Map();
  for (const [, name, base64] of editor.matchAll(/([\w$]+) = d\("([A-Za-z0-9+/=]*)"\)/g)) {
    strings.set(name, base64);
  }
  const files = new Map();
  for (const [, file, name] of editor.matchAll(/\["(\/lib\/core\/[^"]+)"\] = ([\w$]+);/g)) {
    files.set(`moonbit-core:${file}`, Buffer.from(strings.get(name), "base64"));
  }
  return files;
}

async function compile() {
  const call = loadCompiler();
  const files = loadLibrary();
  const list = JSON.parse(files.get("moonbit-core:/lib/core/_build/packages.json").toString());
  const packages = new Map(list.packages.map((entry) => [CORE + entry.rel, entry]));
  const built = new Map();

  async function build(pkg, mbtFiles, place, imports, isMain) {
    const interfaces = [...imports].map(([name, alias]) => {
      const rel = name.slice(CORE.length);
      return [`/lib/core/${rel}:${alias}`, built.get(name).mi];
    });
    // A program imports the standard library without saying so, its packages each other as they say.
    const [stdMiFiles, miFiles] = isMain ? [interfaces, []] : [[], interfaces];
    const pkgSources = [`${pkg}:${place}`];
    const result = await call("buildPackage", {
      ...TARGET, pkg, mbtFiles, pkgSources, isMain, miFiles, stdMiFiles, indirectImportMiFiles: [],
    });
    if (!result.core) throw new Error(result.diagnostics.join(""));
    built.set(pkg, result);
  }

  async function buildLibrary(name) {
    if (built.has(name)) return;
    const entry = packages.get(name);
    for (const dependency of entry.deps) await buildLibrary(dependency.path);
    const sources = Object.entries(entry.files)
      .filter(([, { backend, optlevel }]) => backend.includes("WasmGC") && optlevel.includes("Release"))
      .map(([file]) => [file, files.get(file).toString()]);
    await build(name, sources, `moonbit-core:/lib/core/${entry.rel}`, imports(entry), false);
  }

  /** What a package depends on, directly or not, and under which name it knows that. */
  function imports(entry, found = new Map()) {
    for (const { path: name, alias } of entry.deps) {
      if (!found.has(name)) found.set(name, alias);
    }
    for (const { path: name } of entry.deps) {
      for (const further of packages.get(name).deps) {
        if (!found.has(further.path)) imports({ deps: [further] }, found);
      }
    }
    return found;
  }

  await buildLibrary(`${CORE}prelude`);
  const library = [...built.keys()];
  const main = "fixture/main";
  const program = [[path.basename(source), fs.readFileSync(source, "utf8")]];
  const visible = library.filter((name) => !name.includes("internal"));
  await build(main, program, "fixture:/", visible.map((name) => [name, path.posix.basename(name)]), true);
  const sources = library.map((name) => `${name}:moonbit-core:/lib/core/${name.slice(CORE.length)}`);
  const { result } = await call("linkCore", {
    ...TARGET, main, coreFiles: [...built.values()].map(({ core }) => core),
    pkgSources: [`${main}:fixture:/`, ...sources], exportedFunctions: [], outputFormat: "wasm",
    testMode: false, debug: false, sourceMap: false, sources: {}, stopOnMain: false,
  });
  fs.writeFileSync(output, result);
}

compile().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
