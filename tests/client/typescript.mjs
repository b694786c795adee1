// Asks a real service, and then one that breaks off every answer, as a program in TypeScript would. argv: the client's
// module, the URL of each, and that of an address where nobody listens. Prints what came of it, as JSON.
const [, , module, url, breaking, nobody] = process.argv;
const { AdjudgeError, Client, newMerchantBizId, ProblemError, ServiceUnavailable } = await import(module);

async function failure(work) {
  try {
    await work();
  } catch (error) {
    const kind = [ProblemError, ServiceUnavailable, AdjudgeError, TypeError].find((one) => error instanceof one);
    return { kind: kind?.name ?? error.name, code: error.code, where: error.problem?.where };
  }
  return null;
}

const client = new Client(url);
const merchant_biz_id = newMerchantBizId();
const request = { merchant_biz_id, scene_code: "onboard001", inputs: { country: "SG" }, face: { base64: "/9j/4AAQ" } };
const said = { id: merchant_biz_id };
const decision = await client.decide(request, { deadlineMs: 60000, requestId: "from-node" });
said.decision = { status: decision.status, outcome: decision.outcome };
said.again = (await client.decide(request)).status;
said.anew = (await client.decide(request, { anew: true })).status;
said.found = (await client.findOne(decision.decision_id)).merchant_biz_id === merchant_biz_id;
said.absent = await client.findOne("0".repeat(32));
said.searched = (await client.search({ merchant_biz_id, limit: 1 })).decisions.length;
said.labelled = await client.label({ decision_id: decision.decision_id, merchant_biz_id, label: "fraud", source: "x" });
said.erased = (await client.erase(merchant_biz_id, { reason: "asked" })).erased;
said.ready = (await client.ready()).ready;
said.health = (await client.health()).status;
said.conflict = await failure(() => client.decide({ ...request, inputs: { country: "KP" } }));
said.mistake = await failure(() => client.decide({ ...request, inputs: { contry: "SG" } }));
said.path = await failure(async () => client.erase(".."));
said.aborted = await failure(() => client.decide(request, { signal: AbortSignal.abort() }));

const broken = new Client(breaking);
said.lost = {
  decide: await failure(() => broken.decide(request)),
  anew: await failure(() => broken.decide(request, { anew: true })),
  findOne: await failure(() => broken.findOne("0".repeat(32))),
  label: await failure(() => broken.label({})),
  erase: await failure(() => broken.erase(merchant_biz_id)),
};
said.nobody = await failure(() => new Client(nobody).label({}));
const circle = {};
circle.circle = circle;
said.mine = {
  body: await failure(() => broken.decide(circle)),
  number: await failure(() => broken.decide({ ...request, attempts: 1n })),
  header: await failure(() => broken.findOne("0".repeat(32), { requestId: "a\r\nb" })),
  key: await failure(() => new Client(breaking, { key: "secret\nx" }).ready()),
  noKey: await failure(() => new Client(breaking, { key: () => Promise.reject(new RangeError()) }).ready()),
};
const alive = setInterval(() => {}, 1000); // nothing else keeps a program running that waits for such a key
const stuck = { key: () => new Promise(() => {}), answerWithinMs: 50 };
said.stuck = await failure(() => new Client(breaking, stuck).ready());
const leaving = new AbortController();
setTimeout(() => leaving.abort(), 20);
said.left = await failure(() => new Client(breaking, { ...stuck, answerWithinMs: 60000 }).ready({ signal: leaving.signal }));
clearInterval(alive);
console.log(JSON.stringify(said));
