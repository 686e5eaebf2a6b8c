// Builds the repository's example programs for tests that are written for Node.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Builds an example and answers with the path of its program. */
export async function build(example) {
  const { stdout } = await promisify(execFile)(
    "cargo",
    ["build", "--locked", "-p", "session-tower", "--example", example, "--message-format=json-render-diagnostics"],
    { cwd: root, maxBuffer: 1 << 26 },
  );
  for (const line of stdout.split("\n")) {
    const message = line === "" ? {} : JSON.parse(line);
    if (message.reason === "compiler-artifact" && message.target.name === example && message.executable) {
      return message.executable;
    }
  }
  throw new Error(`cargo build named no program for the example ${example}`);
}
