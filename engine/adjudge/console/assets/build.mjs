// Builds what the pages load into ../static, with the licences of everything that went into it.
import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const built = join(here, "..", "static");

await rm(built, { recursive: true, force: true });
await mkdir(built, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: ["console.ts", "editor.ts", "console.css"],
  outdir: built,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  metafile: true,
});

// Only what is in the files counts: a build tool is not shipped.
const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const [, name] = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//) ?? [];
  if (name) packages.add(name);
}
const parts = ["What the console's scripts and styles hold of others, with their licences.\n"];
for (const name of [...packages].sort()) {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
  if (!file) throw new Error(`${name} has no licence file`);
  parts.push(`${"-".repeat(100)}\n${name} ${version} (${license})\n\n${await readFile(join(folder, file), "utf8")}`);
}
await writeFile(join(built, "THIRD-PARTY.txt"), parts.join("\n"));
