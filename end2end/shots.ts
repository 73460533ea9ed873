// Takes the pictures: every page, 375 and 1440 px, light and dark, into the folder SHOTS.
import type { Page } from "@playwright/test";
import { resolve } from "node:path";
import { busy, furnish, special, troubled, withModes } from "./tests/states";
import { arrange, expect, open, test } from "./tests/support";

const folder = resolve(process.env.SHOTS ?? "shots");

for (const colorScheme of ["light", "dark"] as const) {
  for (const [width, height] of [[375, 780], [1440, 900]]) {
    test.describe(`${colorScheme} ${width}`, () => {
      test.use({ colorScheme, viewport: { width, height }, deviceScaleFactor: width < 500 ? 2 : 1, contextOptions: { reducedMotion: "reduce" } });

      const take = (page: Page, name: string) =>
        page.screenshot({ path: `${folder}/${name.replaceAll(/[ ,]+/g, "-")}-${width}-${colorScheme}.png` });

      test("pictures", async ({ page, context, person, site, guard }) => {
        guard.expectStatus(404);
        const shoot = (name: string) => take(page, name);
        const { attempt } = await furnish(person, site.url);
        for (const slug of ["google-calendar", "linear"]) await arrange(context, site.url, slug);
        for (const state of busy(attempt)) {
          await state.go(page);
          await shoot(state.name);
        }
        await open(page, "/connectors?q=zzzz");
        await shoot("no match");
        await page.goto("/nowhere");
        await shoot("not found");
        await context.clearCookies();
        await page.goto("/sign-in");
        await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
        await shoot("sign-in");
      });

      test("pictures of every kind of sign-in, and of troubles", async ({ newPerson, installation }) => {
        const at = await installation(withModes);
        const person = await newPerson(undefined, at);
        await troubled(person, at);
        const page = await person.context.newPage();
        for (const state of special) {
          await state.go(page);
          await take(page, state.name);
        }
      });
    });
  }
}
