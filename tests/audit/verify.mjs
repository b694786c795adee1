// A second verifier of audit logs, written from docs/audit.md alone and sharing nothing with adjudge/audit/verify.
// Reads cases from standard input, one JSON object a line: {log, archive: folder or null, keys: [PEM file], macKeys: [file],
// anchors: file or null}.
// Prints for each {good, count}: whether it verifies, and how many records do.
import { createHash, createHmac, createPrivateKey, createPublicKey, hkdfSync, verify } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const LINE = /^\{"schema":1,"seq":([1-9]\d*),"prev":"([0-9a-f]{64})","kind":"([a-z][a-z_]*)",.*,"hash":"([0-9a-f]{64})"\}\n$/s;
const MAC = /^,"mac":"([0-9a-f]{64})"$/, SIGNED = /,"key":"([0-9a-f]{16})","signature":"([0-9a-f]{128})"$/;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

// What stands in the place of each line: where it stands, and its bytes; or what an archived segment held.
function lines(folder, archive) {
  const found = readdirSync(folder), all = archive ? [...found, ...readdirSync(archive)] : found;
  const stems = [...new Set(all.filter((name) => /^audit-\d{6,}\.(jsonl|archived)$/.test(name)).map((name) => name.split(".")[0]))].sort((a, b) => parseInt(a.slice(6)) - parseInt(b.slice(6)));
  const split = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const entries = stems.flatMap((stem) => {
    const name = `${stem}.jsonl`, at = found.includes(name) ? folder : archive;
    if (!found.includes(name) && !(archive && readdirSync(archive).includes(name))) return [{ away: Buffer.from(split(readFileSync(join(folder, `${stem}.archived`), "latin1"))[0], "latin1") }];
    return split(readFileSync(join(at, name), "latin1")).map((line) => ({ name, line: Buffer.from(line, "latin1") }));
  });
  return { entries, isMoved: found.includes((entries.filter((one) => one.name && found.includes(one.name)).at(-1)?.name ?? "").replace(".jsonl", ".archived")) };
}

const parse = (text) => { try { return JSON.parse(text); } catch { return null; } };
const keyId = (key) => sha256(key.export({ type: "spki", format: "der" }).subarray(-32)).slice(0, 16);
function macKey(text) {
  if (!text.includes("PRIVATE KEY")) return Buffer.from(text.trim(), "hex");
  return Buffer.from(hkdfSync("sha256", createPrivateKey(text).export({ type: "pkcs8", format: "der" }).subarray(-32), "", "adjudge audit mac", 32));
}

function check({ log, archive = null, keys: files, macKeys: macFiles = [], anchors: file }) {
  const keys = new Map(files.map((name) => createPublicKey(readFileSync(name))).map((key) => [keyId(key), key]));
  const macKeys = macFiles.map((name) => macKey(readFileSync(name, "utf8")));
  const kept = file ? readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : null;
  let seq = 0, prev = "0".repeat(64), first = prev, since = 0, every = Infinity, gap = 0, witness = [], macs = false, closed = false, doubt = null, absent = null, several = false;
  const used = [], usedMacs = [], decided = new Map(), superseded = new Set(), firstOf = (count) => Math.min(count, doubt ?? count, gap || elsewhere || several ? count : (absent ?? count));
  const wrong = (count) => ({ good: false, count: firstOf(count) });
  const { entries, isMoved } = lines(log, archive), held = new Map(), claims = [];
  let elsewhere = 0;
  for (const { name, line, away } of entries) {
    if (away) {
      const said = JSON.parse(away.toString("utf8"));
      if (said.kind !== "archive" || sha256(away.subarray(0, -76)) !== said.hash || said.first !== seq + 1) return wrong(seq - elsewhere);
      if (!seq) (first = said.log), (witness = (kept ?? []).filter((one) => one.log === first));
      [seq, prev, since, closed] = [said.last, said.last_hash, 0, false], claims.push({ ...said }), (elsewhere += said.last - said.first + 1);
      continue;
    }
    const text = line.toString("utf8"), frame = LINE.exec(text), record = frame && parse(text), point = frame?.[3] === "checkpoint";
    if (!record || sha256(line.subarray(0, -76)) !== frame[4] || Number(frame[1]) !== seq + 1 || frame[2] !== prev) return wrong(seq - elsewhere);
    const mac = MAC.exec(line.subarray(-149, -76).toString("latin1")), body = line.subarray(0, mac ? -149 : -76);
    const signature = point && SIGNED.exec(body.toString("latin1"));
    if (point) {
      if (record.count !== seq || record.last !== prev || record.log !== first || !(record.every > 0) || !(record.gap >= gap)) return wrong(seq - elsewhere);
      if (!signature && (used.length || "signature" in record)) return wrong(seq - elsewhere);
      if (signature) {
        const [, id, hex] = signature, newest = used.at(-1) ?? id, key = keys.get(id);
        if ((used.includes(id) && id !== newest) || ((record.retires ?? newest) !== newest && (used.length || !elsewhere))) return wrong(seq - elsewhere);
        if (keys.size && !(key && verify(null, body.subarray(0, -143), key, Buffer.from(hex, "hex")))) return wrong(seq - elsewhere);
        if (!used.includes(id)) used.push(id);
      }
      [since, every, gap] = [0, record.every, record.gap];
    } else if (++since > every) return wrong(seq - elsewhere);
    several ||= seq === 0 && frame[3] === "ledger"; // of one ledger: what a decision supersedes may stand in another chain
    if (witness.some((one) => one.seq === seq + 1 && one.hash !== frame[4])) return wrong(seq - elsewhere);
    if (frame[3] === "decision" && record.decision_id !== undefined) {
      const { decision_id: id, supersedes: old } = record;
      const whose = decided.get(old) ?? record.merchant_biz_id;
      if (decided.has(id) || (old !== undefined && (whose !== record.merchant_biz_id || superseded.has(old)))) return wrong(seq - elsewhere);
      if (old !== undefined && !decided.has(old)) absent ??= seq - elsewhere;
      decided.set(id, record.merchant_biz_id), superseded.add(old);
    }
    const by = mac ? macKeys.findIndex((key) => createHmac("sha256", key).update(body).digest("hex") === mac[1]) : -1;
    const holds = by >= 0 && !usedMacs.slice(0, -1).includes(by);
    if (by >= 0 && !usedMacs.includes(by)) usedMacs.push(by);
    if (holds || (signature && (keys.size || !macKeys.length))) doubt = null;
    else if (macKeys.length || (macs && !mac) || (closed && !(point && record.found))) doubt ??= seq - elsewhere;
    const of = held.get(name) ?? { first: seq + 1, hash: createHash("sha256"), bytes: 0 };
    of.hash.update(line), Object.assign(of, { last: seq + 1, lastHash: frame[4], bytes: of.bytes + line.length }), held.set(name, of);
    const about = frame[3] === "segment" && held.get(record.name);
    if (about && about.first === record.first && about.last === record.last && (about.lastHash !== record.last_hash || about.bytes !== record.bytes || about.hash.copy().digest("hex") !== record.sha256)) return wrong(seq - elsewhere);
    if (frame[3] === "archive") for (const claim of claims) if (claim.seq === seq + 1 && claim.hash === frame[4]) claim.sure = true;
    [macs, closed] = [macs || Boolean(mac), point && record.closed === true], (seq += 1), (prev = frame[4]);
    if (seq === 1) (first = prev), (witness = (kept ?? []).filter((one) => one.log === first));
  }
  if (firstOf(seq - elsewhere) < seq - elsewhere) return wrong(seq - elsewhere);
  const sure = claims.filter((one) => one.sure || (isMoved && one.seq > seq));
  if (claims.some((one) => !sure.includes(one) && !sure.some((other) => other.since <= one.first && one.first < other.first))) return wrong(seq - elsewhere);
  const complete = seq > elsewhere && (!keys.size || used.length > 0) && (elsewhere || several || [...keys.keys()].every((id) => used.includes(id))) && (!kept || witness.length > 0) && (macKeys.length < 2 || elsewhere || several || usedMacs.length === macKeys.length);
  return { good: complete && witness.every((one) => one.seq <= seq), count: seq - elsewhere };
}

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) console.log(JSON.stringify(check(JSON.parse(line))));
