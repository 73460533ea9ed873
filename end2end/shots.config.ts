// Pictures of the pages, for reviewing and for the README: `SHOTS=dir npx playwright test -c
// shots.config.ts`.
import base from "./playwright.config";

export default { ...base, testDir: ".", testMatch: "shots.ts", timeout: 120_000 };
