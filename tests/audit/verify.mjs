// A second verifier of audit logs, written from docs/audit.md alone and sharing nothing with adjudge/audit/verify.
// Reads cases from standard input, one JSON object a line: {log, keys: [PEM file], macKeys: [file], anchors: file or null}.
// Prints for each {good, count}: whether it verifies, and how many records do.
import { createHash, createHmac, createPrivateKey, createPublicKey, hkdfSync, verify } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const LINE = /^\{"schema":1,"seq":([1-9]\d*),"prev":"([0-9a-f]{64})","kind":"([a-z][a-z_]*)",.*,"hash":"([0-9a-f]{64})"\}\n$/s;
const MAC = /^,"mac":"([0-9a-f]{64})"$/, SIGNED = /,"key":"([0-9a-f]{16})","signature":"([0-9a-f]{128})"$/;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

function lines(folder) {
  const names = readdirSync(folder).filter((name) => /^audit-\d{6,}\.jsonl$/.test(name)).sort((a, b) => parseInt(a.slice(6)) - parseInt(b.slice(6)));
  const split = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return names.flatMap((name) => split(readFileSync(join(folder, name), "latin1")).map((line) => Buffer.from(line, "latin1")));
}

const parse = (text) => { try { return JSON.parse(text); } catch { return null; } };
const keyId = (key) => sha256(key.export({ type: "spki", format: "der" }).subarray(-32)).slice(0, 16);
function macKey(text) {
  if (!text.includes("PRIVATE KEY")) return Buffer.from(text.trim(), "hex");
  return Buffer.from(hkdfSync("sha256", createPrivateKey(text).export({ type: "pkcs8", format: "der" }).subarray(-32), "", "adjudge audit mac", 32));
}

function check({ log, keys: files, macKeys: macFiles = [], anchors: file }) {
  const keys = new Map(files.map((name) => createPublicKey(readFileSync(name))).map((key) => [keyId(key), key]));
  const macKeys = macFiles.map((name) => macKey(readFileSync(name, "utf8")));
  const kept = file ? readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : null;
  let seq = 0, prev = "0".repeat(64), first = prev, since = 0, every = Infinity, gap = 0, witness = [], macs = false, closed = false, doubt = null, absent = null;
  const used = [], usedMacs = [], decided = new Map(), superseded = new Set(), firstOf = (count) => Math.min(count, doubt ?? count, gap ? count : (absent ?? count));
  const wrong = (count) => ({ good: false, count: firstOf(count) });
  for (const line of lines(log)) {
    const text = line.toString("utf8"), frame = LINE.exec(text), record = frame && parse(text), point = frame?.[3] === "checkpoint";
    if (!record || sha256(line.subarray(0, -76)) !== frame[4] || Number(frame[1]) !== seq + 1 || frame[2] !== prev) return wrong(seq);
    const mac = MAC.exec(line.subarray(-149, -76).toString("latin1")), body = line.subarray(0, mac ? -149 : -76);
    const signature = point && SIGNED.exec(body.toString("latin1"));
    if (point) {
      if (record.count !== seq || record.last !== prev || record.log !== first || !(record.every > 0) || !(record.gap >= gap)) return wrong(seq);
      if (!signature && (used.length || "signature" in record)) return wrong(seq);
      if (signature) {
        const [, id, hex] = signature, newest = used.at(-1) ?? id, key = keys.get(id);
        if ((used.includes(id) && id !== newest) || (record.retires ?? newest) !== newest) return wrong(seq);
        if (keys.size && !(key && verify(null, body.subarray(0, -143), key, Buffer.from(hex, "hex")))) return wrong(seq);
        if (!used.includes(id)) used.push(id);
      }
      [since, every, gap] = [0, record.every, record.gap];
    } else if (++since > every) return wrong(seq);
    if (witness.some((one) => one.seq === seq + 1 && one.hash !== frame[4])) return wrong(seq);
    if (frame[3] === "decision" && record.decision_id !== undefined) {
      const { decision_id: id, supersedes: old } = record;
      const whose = decided.get(old) ?? record.merchant_biz_id;
      if (decided.has(id) || (old !== undefined && (whose !== record.merchant_biz_id || superseded.has(old)))) return wrong(seq);
      if (old !== undefined && !decided.has(old)) absent ??= seq;
      decided.set(id, record.merchant_biz_id), superseded.add(old);
    }
    const by = mac ? macKeys.findIndex((key) => createHmac("sha256", key).update(body).digest("hex") === mac[1]) : -1;
    const holds = by >= 0 && !usedMacs.slice(0, -1).includes(by);
    if (by >= 0 && !usedMacs.includes(by)) usedMacs.push(by);
    if (holds || (signature && (keys.size || !macKeys.length))) doubt = null;
    else if (macKeys.length || (macs && !mac) || (closed && !(point && record.found))) doubt ??= seq;
    [macs, closed] = [macs || Boolean(mac), point && record.closed === true], (seq += 1), (prev = frame[4]);
    if (seq === 1) (first = prev), (witness = (kept ?? []).filter((one) => one.log === first));
  }
  if (firstOf(seq) < seq) return wrong(seq);
  const complete = seq > 0 && (!keys.size || used.length > 0) && [...keys.keys()].every((id) => used.includes(id)) && (!kept || witness.length > 0) && (macKeys.length < 2 || usedMacs.length === macKeys.length);
  return { good: complete && witness.every((one) => one.seq <= seq), count: seq };
}

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) console.log(JSON.stringify(check(JSON.parse(line))));
