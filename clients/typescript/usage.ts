// Checked by `npm run check`, and run by nobody: what a caller writes has the types that it should have.
import { Client, type Decision, newMerchantBizId, type Outcome, ProblemError, type Request } from "./index.js";

const client = new Client("https://risk.internal", { key: async () => "key" });
const request: Request = { merchant_biz_id: newMerchantBizId(), scene_code: "onboard001", inputs: { country: "SG" } };

export async function decided(signal: AbortSignal): Promise<Outcome | undefined> {
  try {
    const decision = await client.decide(request, { deadlineMs: 2000, signal });
    const found: Decision | null = await client.findOne(decision.decision_id);
    for (const one of Object.values(decision.signals)) if (one.status === "ok") console.log(one.price.length);
    return found?.outcome;
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === "merchant-biz-id-conflict") return undefined;
    throw error;
  }
}

// @ts-expect-error: a scene is missing
client.decide({ merchant_biz_id: newMerchantBizId() });
// @ts-expect-error: no such label
client.label({ decision_id: "", merchant_biz_id: "", label: "bad", source: "x" });
// @ts-expect-error: it may be absent
(await client.findOne("")).outcome;
// @ts-expect-error: no such outcome
request.outcome = "maybe";
