// A second verifier of audit logs, written from the description at the top of verify.py and sharing nothing with it.
// Reads cases from standard input, one JSON object a line: {log, keys: [PEM file], anchors: file or null}.
// Prints for each {good, count, at}: whether it verifies, how many records do, and the first bad one's place in the log.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FRAME = /^\{"schema":1,"seq":([1-9]\d*),"prev":"([0-9a-f]{64})","kind":"([a-z][a-z_]*)",.*,"hash":"([0-9a-f]{64})"\}\n$/s;
const SIGNED = /,"key":"([0-9a-f]{16})","signature":"([0-9a-f]{128})","hash":"[0-9a-f]{64}"\}\n$/;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

function* lines(folder) {
  const names = readdirSync(folder).filter((name) => /^audit-\d{6,}\.jsonl$/.test(name));
  for (const name of names.sort((a, b) => parseInt(a.slice(6)) - parseInt(b.slice(6)))) {
    const bytes = readFileSync(join(folder, name));
    for (let start = 0, end; start < bytes.length; start = end) {
      end = bytes.indexOf(10, start) + 1 || bytes.length;
      yield bytes.subarray(start, end);
    }
  }
}

function readKeys(files) {
  const keys = new Map();
  for (const file of files) {
    const key = createPublicKey(readFileSync(file));
    keys.set(sha256(key.export({ type: "spki", format: "der" }).subarray(-32)).slice(0, 16), key);
  }
  return keys;
}

function readAnchors(file) {
  const anchors = [];
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) anchors.push(JSON.parse(line));
  return anchors;
}

function check({ log, keys: files, anchors: file }) {
  const keys = readKeys(files);
  const anchors = file ? readAnchors(file) : null;
  let seq = 0, prev = "0".repeat(64), first = prev, since = 0, every = Infinity, signed = false, gap = 0, witness = [];
  const used = [];
  for (const line of lines(log)) {
    const bad = (good) => !good && { good: false, count: seq, at: seq + 1 };
    const text = line.toString("utf8"), frame = FRAME.exec(text);
    let wrong = bad(frame && sha256(line.subarray(0, -76)) === frame[4] && Number(frame[1]) === seq + 1 && frame[2] === prev);
    if (wrong) return wrong;
    if (frame[3] === "checkpoint") {
      const point = JSON.parse(text), signature = SIGNED.exec(text);
      wrong = bad(point.count === seq && point.last === prev && point.log === first && point.every > 0 && point.gap >= gap);
      if (wrong) return wrong;
      if (signature) {
        const [, id, hex] = signature, key = keys.get(id);
        wrong = bad(!used.includes(id) || used.at(-1) === id);
        if (!wrong && keys.size) wrong = bad(key && verify(null, line.subarray(0, -219), key, Buffer.from(hex, "hex")));
        if (wrong) return wrong;
        if (!used.includes(id)) used.push(id);
        signed = true;
      } else if (signed || "signature" in point) return bad(false);
      since = 0, every = point.every, gap = point.gap;
    } else if (++since > every) return bad(false);
    wrong = bad(witness.every((one) => one.seq !== seq + 1 || one.hash === frame[4]));
    if (wrong) return wrong;
    seq += 1, prev = frame[4];
    if (seq === 1) first = prev, witness = (anchors ?? []).filter((one) => one.log === first);
  }
  const complete = (!keys.size || signed) && (!anchors || witness.length > 0) && witness.every((one) => one.seq <= seq);
  return { good: complete, count: seq, at: seq };
}

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) console.log(JSON.stringify(check(JSON.parse(line))));
