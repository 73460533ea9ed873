// The browser tests' one configuration. They run the release build in real Chromium, each worker
// against a server and a sandbox of its own (tests/support.ts).
import { defineConfig } from "@playwright/test";
import { launch } from "./tests/servers";

export default defineConfig({
  testDir: "tests",
  fullyParallel: true,
  workers: 2,
  // At a desk, a test that passes on the second try has found something. Where nobody looks on (CI),
  // one more try tells a slow machine from a broken product; the report names it "flaky".
  retries: process.env.CI ? 1 : 0,
  forbidOnly: !!process.env.CI,
  timeout: 30_000,
  expect: { timeout: 8_000 },
  reporter: [["list"]],
  use: { launchOptions: launch, viewport: { width: 1280, height: 800 } },
});
